import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { generate } from "selfsigned";
import { describe, expect, onTestFinished, test } from "vitest";
import { expectUpload } from "../../../mock-server/system/body-pace.ts";
import { ConnectionCounts } from "../../../mock-server/system/connection-counts.ts";
import { type ListenOptions, listen } from "../../../mock-server/system/listen.ts";

const HOST = "127.0.0.1";
const LIMITED = { isExempt: () => false };

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function start(options: Partial<ListenOptions>, handler: Handler = (_, response) => void response.end("done")) {
  const counts = new ConnectionCounts();
  const server = await listen(handler, { host: HOST, port: 0, ...options, counts });
  onTestFinished(async () => void (await server.close(0)));
  return { port: server.port, counts };
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ host: HOST, port });
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** What one request on this connection is answered; "" if the connection ends without an answer. */
async function ask(socket: Socket, request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"): Promise<string> {
  const ended = once(socket, "close").then(() => "");
  socket.write(request);
  const answered = once(socket, "data").then(([chunk]) => String(chunk));
  return await Promise.race([answered, ended]);
}

describe("connections", () => {
  test("above the limit of one address take the place of its own that is idle for longest", async () => {
    const { port, counts } = await start({ connectionsPerAddressMax: 3, ...LIMITED });
    const sockets = [await open(port), await open(port), await open(port)];
    for (const socket of sockets.toReversed()) expect(await ask(socket)).toContain("200 OK");
    const closed = once(sockets.at(-1) ?? fail(), "close");
    const fourth = await open(port);
    expect(await ask(fourth)).toContain("200 OK");
    await closed;
    for (const socket of sockets.slice(0, 2)) expect(await ask(socket)).toContain("200 OK");
    expect([counts.ended("idle-for-others"), counts.ended("too-many-from-address")]).toEqual([1, 0]);
  });

  test("that are all in the middle of a request are not closed: the one that is too many is refused", async () => {
    const answers: ServerResponse[] = [];
    let arrived: () => void = () => undefined;
    const { port, counts } = await start({ connectionsMax: 2 }, (_, response) => {
      answers.push(response);
      arrived();
    });
    const sockets = [await open(port), await open(port)];
    const asked: Promise<string>[] = [];
    for (const socket of sockets) {
      const arrival = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      asked.push(ask(socket));
      await arrival;
    }
    expect(await ask(await open(port))).toBe("");
    expect(counts.ended("too-many")).toBe(1);
    for (const answer of answers) answer.end("done");
    for (const answer of await Promise.all(asked)) expect(answer).toContain("200 OK");
  });

  test("of this machine itself have no limit of their own, where a proxy or a fleet of a test is", async () => {
    const { port, counts } = await start({ connectionsPerAddressMax: 3 });
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open(port)));
    for (const socket of sockets) expect(await ask(socket)).toContain("200 OK");
    expect(counts.open).toBe(20);
  });

  test("with TLS count once, and no more when they are closed", async () => {
    const { private: key, cert: certificate } = await generate([{ name: "commonName", value: "localhost" }], {
      keyType: "ec",
    });
    const { port, counts } = await start({ tls: { certificate, key }, connectionsMax: 2 });
    for (let round = 0; round < 4; round++) {
      const socket = connectTls({ host: HOST, port, rejectUnauthorized: false });
      await once(socket, "secureConnect");
      expect(await ask(socket)).toContain("200 OK");
      expect(counts.open).toBeLessThanOrEqual(2);
    }
    expect(counts.ended("idle-for-others")).toBe(2);
  });
});

describe("the body of a request", () => {
  const POST = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";
  const pace = { bodyPace: { graceMs: 100, bytesPerSecond: 1000 }, paceCheckedEveryMs: 20 };

  test("that comes too slowly is answered with 408 and cut", async () => {
    const { port, counts } = await start(pace, (request) => void request.resume());
    const socket = await open(port);
    const drip = setInterval(() => socket.write("x"), 20);
    onTestFinished(() => clearInterval(drip));
    expect(await ask(socket, POST)).toContain("408 Request Timeout");
    expect(counts.ended("body-too-slow")).toBe(1);
  });

  test("that nobody reads any more, since it was refused at once, is cut as well", async () => {
    const { port, counts } = await start(pace, (_, response) => void response.writeHead(401).end());
    const socket = await open(port);
    expect(await ask(socket, POST)).toContain("401");
    await once(socket, "close");
    expect(counts.ended("body-too-slow")).toBe(1);
  });

  test("that is an artifact of a user may pause for minutes", async () => {
    let read = 0;
    let paused: () => void = () => undefined;
    const { port, counts } = await start(pace, (request, response) => {
      expectUpload(request);
      request.on("data", (chunk: Buffer) => {
        read += chunk.length;
        if (read === 1) paused();
      });
      request.on("end", () => response.end("done"));
    });
    const pausing = new Promise<void>((resolve) => {
      paused = resolve;
    });
    const [socket, slow] = [await open(port), await open(port)];
    const answer = ask(socket, `${POST}x`);
    await pausing;
    // Another one that is no upload is cut meanwhile, so much time has passed.
    const other = await start(pace, (request) => void request.resume());
    expect(await ask(await open(other.port), POST)).toContain("408");
    slow.destroy();
    socket.write("x".repeat(99_999));
    expect(await answer).toContain("200 OK");
    expect(counts.ended("body-too-slow")).toBe(0);
  });

  test("that the server itself does not read on is not cut", async () => {
    let request: IncomingMessage | undefined;
    let arrived: () => void = () => undefined;
    const { port, counts } = await start(pace, (incoming, response) => {
      request = incoming;
      incoming.on("end", () => response.end("done"));
      arrived();
    });
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const answer = ask(await open(port), POST + "x".repeat(100_000));
    await arrival;
    const other = await start(pace, (incoming) => void incoming.resume());
    expect(await ask(await open(other.port), POST)).toContain("408");
    request?.resume();
    expect(await answer).toContain("200 OK");
    expect(counts.ended("body-too-slow")).toBe(0);
  });
});

function fail(): never {
  throw new Error("there is no such connection");
}
