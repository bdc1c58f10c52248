import { once } from "node:events";
import { Agent, get, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { isSystemError } from "@upkeep/shared/system";
import { generate } from "selfsigned";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Listening, listen } from "../../../mock-server/system/listen.ts";

const HOST = "127.0.0.1";
const LONG_MS = 60_000;

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return text;
}

test("a port that is taken is told by its code", async () => {
  const first = await listen((_, response) => response.end(), { host: HOST, port: 0 });
  const error: unknown = await listen((_, response) => response.end(), { host: HOST, port: first.port }).catch(
    (e) => e,
  );
  expect(isSystemError(error, "EADDRINUSE")).toBe(true);
  expect(await first.close(LONG_MS)).toBe(0);
});

test("a certificate that is none is told as an error", async () => {
  const tls = { certificate: "not a certificate", key: "not a key" };
  await expect(listen(() => undefined, { host: HOST, port: 0, tls })).rejects.toThrow();
});

test("TLS is of version 1.2 at least, and 1.3 where the client has it", async () => {
  const { private: key, cert: certificate } = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
  });
  const server = await listen((_, response) => response.end(), { host: HOST, port: 0, tls: { certificate, key } });
  const versionOf = async (options: ConnectionOptions): Promise<string | null> => {
    const socket = connectTls({ ...options, host: HOST, port: server.port, rejectUnauthorized: false });
    try {
      await once(socket, "secureConnect");
      return socket.getProtocol();
    } finally {
      socket.destroy();
    }
  };
  expect(await versionOf({})).toBe("TLSv1.3");
  expect(await versionOf({ maxVersion: "TLSv1.2" })).toBe("TLSv1.2");
  const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
  await expect(versionOf(old)).rejects.toThrow(/alert protocol version/);
  await expect(versionOf({ maxVersion: "TLSv1.2", ciphers: "RC4:3DES:NULL@SECLEVEL=0" })).rejects.toThrow();
  await server.close(LONG_MS);
});

test.each([
  ["a client that does not send what it announced", (request: IncomingMessage) => void request.resume()],
  ["an answer that does not come", () => undefined],
] as const)("%s is not waited for for ever", async (_, listener) => {
  const server = await listen(listener, { host: HOST, port: 0, silenceMsMax: 200 });
  const socket = connect({ host: HOST, port: server.port });
  socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
  await once(socket.resume(), "close");
  expect(await server.close(LONG_MS)).toBe(0);
});

test("closing lets an answer in flight finish, whole, and takes no new connections", async () => {
  const size = 8 * 1024 * 1024;
  let answering: (response: ServerResponse) => void = () => undefined;
  const asked = new Promise<ServerResponse>((resolve) => {
    answering = resolve;
  });
  const server = await listen((_, response) => answering(response), { host: HOST, port: 0 });
  const agent = new Agent({ keepAlive: true });
  const request = get({ host: HOST, port: server.port, agent });
  const response = await asked;
  const closed = server.close(LONG_MS);
  const refused = connect(server.port, HOST);
  const [error] = (await once(refused, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNREFUSED");
  response.end("x".repeat(size));
  const [answer] = (await once(request, "response")) as [IncomingMessage];
  expect((await textOf(answer)).length).toBe(size);
  expect(await closed).toBe(0);
  agent.destroy();
});

test("closing ends connections that are idle at once", async () => {
  const server = await listen((_, response) => response.end("done"), { host: HOST, port: 0 });
  const agent = new Agent({ keepAlive: true });
  const [answer] = (await once(get({ host: HOST, port: server.port, agent }), "response")) as [IncomingMessage];
  expect(await textOf(answer)).toBe("done");
  expect(await server.close(LONG_MS)).toBe(0);
  agent.destroy();
});

/** Clients that keep an idle connection in a pool notice its end only when they use it again. */
async function clientThatKeepsItsHalfOpen(port: number, tls: boolean): Promise<Socket> {
  const to = { host: HOST, port, allowHalfOpen: true };
  const socket = tls ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
  await once(socket, tls ? "secureConnect" : "connect");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  return socket;
}

describe.each([
  ["HTTP", false],
  ["HTTPS", true],
])("over %s", (_, tls) => {
  async function listening(listener: RequestListener): Promise<Listening> {
    if (!tls) return await listen(listener, { host: HOST, port: 0 });
    const { private: key, cert: certificate } = await generate([{ name: "commonName", value: "localhost" }], {
      keyType: "ec",
    });
    return await listen(listener, { host: HOST, port: 0, tls: { certificate, key } });
  }

  test("closing does not wait for a client that keeps its side of an idle connection open", async () => {
    const server = await listening((_, response) => response.end("done"));
    const socket = await clientThatKeepsItsHalfOpen(server.port, tls);
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toContain("keep-alive");
    expect(await server.close(LONG_MS)).toBe(0);
  });

  test("nor for one whose answer was under way: it gets all of it", async () => {
    const size = 4 * 1024 * 1024;
    let begun: (response: ServerResponse) => void = () => undefined;
    const answering = new Promise<ServerResponse>((resolve) => {
      begun = resolve;
    });
    const server = await listening((_, response) => {
      response.writeHead(200, { "content-length": size }).flushHeaders();
      begun(response);
    });
    const socket = await clientThatKeepsItsHalfOpen(server.port, tls);
    const response = await answering;
    let received = 0;
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
    });
    const ended = once(socket, "end");
    const closed = server.close(LONG_MS);
    response.end(Buffer.alloc(size));
    await ended;
    expect(received).toBeGreaterThan(size);
    expect(await closed).toBe(0);
  });
});

test("closing cuts what does not finish in time, and tells how many", async () => {
  let arrived: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const server = await listen(() => arrived(), { host: HOST, port: 0 });
  const request = get({ host: HOST, port: server.port });
  const broken = once(request, "error");
  await asked;
  expect(await server.close(50)).toBe(1);
  const [error] = (await broken) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
});
