import { spawn } from "node:child_process";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { generate } from "selfsigned";
import { expect, onTestFinished, test } from "vitest";
import { listen } from "../../../mock-server/system/listen.ts";
import { startProgram } from "../../support/program.ts";

const HOST = "127.0.0.1";

/** For `Atomics.wait`, which holds this thread as a busy machine does. */
const NOTHING = new Int32Array(new SharedArrayBuffer(4));

/**
 * Answers a GET with `size` bytes and anything else with its body, in a later turn, as our routes do.
 * @param heldMs How long the thread gets no processor after it has written a large answer.
 */
async function startTls(size: number, heldMs = 0) {
  const { private: key, cert: certificate } = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
  });
  const large = Buffer.alloc(size, "x");
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.method === "GET") {
      setImmediate(() => {
        response.writeHead(200, { "content-length": size }).end(large);
        Atomics.wait(NOTHING, 0, 0, heldMs);
      });
      return;
    }
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => setImmediate(() => response.end(`got ${body}`)));
  };
  const server = await listen(answer, { host: HOST, port: 0, tls: { certificate, key } });
  onTestFinished(async () => void (await server.close(0)));
  return server;
}

test("a request in two TLS records, while a large answer is still on its way, is answered on the same connection", async () => {
  const size = 8_000_000;
  const server = await startTls(size);
  const plain = connect({ host: HOST, port: server.port });
  await once(plain, "connect");
  let held: Buffer[] | undefined;
  const wire = new Duplex({
    read: () => void plain.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (held === undefined) plain.write(chunk, done);
      else {
        held.push(chunk);
        done();
      }
    },
    final: (done) => void plain.end(done),
  });
  plain.on("data", (chunk: Buffer) => {
    if (!wire.push(chunk)) plain.pause();
  });
  plain.on("close", () => wire.push(null));
  const socket = connectTls({ socket: wire, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  // The answer has begun; as long as this side reads no more of it, the server cannot send the rest.
  await once(socket, "readable");
  held = [];
  const written = new Promise<void>((resolve) => {
    socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
    socket.write("12345", () => resolve());
  });
  await written;
  plain.write(Buffer.concat(held));
  held = undefined;
  let received = 0;
  let end = "";
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    received += chunk.length;
    end = (end + chunk.toString("latin1")).slice(-20);
    if (end.endsWith("got 12345")) break;
  }
  expect(end).toMatch(/got 12345$/);
  expect(received).toBeGreaterThan(size);
  plain.destroy();
});

/** Each ends by itself, whatever becomes of this test. */
const BUSY = "const end = Date.now() + 60_000; while (Date.now() < end);";
const LONG_MS = 300_000;

test("2,000 pairs of requests over kept-alive TLS connections are answered beside six busy processes", {
  timeout: LONG_MS,
}, async () => {
  const server = await startTls(20_000, 1);
  const busy = Array.from({ length: 6 }, () => spawn(process.execPath, ["-e", BUSY], { stdio: "ignore" }));
  try {
    const client = startProgram(process.execPath, [
      "--import",
      "tsx",
      join(import.meta.dirname, "tls-pairs.ts"),
      String(server.port),
      "2000",
    ]);
    expect(await client.ended, client.output()).toBe(0);
    expect(JSON.parse(client.stdout())).toEqual({ answered: 2000, cut: 0 });
  } finally {
    for (const process of busy) process.kill("SIGKILL");
  }
});
