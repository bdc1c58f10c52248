import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { collectText, type HttpRequest, isSystemError } from "@upkeep/shared/system";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NodeNetwork } from "../../../mock-server/system/network.ts";

let server: Server;
let network: NodeNetwork;
let answering: RequestListener;
let connections: number;
let url: string;

beforeEach(async () => {
  connections = 0;
  server = createServer((request, response) => answering(request, response));
  server.on("connection", () => connections++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/path?a=b`;
  network = new NodeNetwork();
});

afterEach(async () => {
  network.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const get = (more: Partial<HttpRequest> = {}): HttpRequest => ({ method: "GET", url, idleTimeoutMs: 10_000, ...more });

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (isSystemError(error)) return error.code;
    throw error;
  }
  return "";
}

describe("requests of the server's own commands", () => {
  test("carry method, path, headers and body, and bring status, headers and body", async () => {
    const seen: unknown[] = [];
    answering = async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { authorization, "content-length": length } = request.headers;
      seen.push([request.method, request.url, authorization, length, Buffer.concat(chunks).toString()]);
      response.writeHead(418, { "x-kind": "teapot" }).end("short and stout");
    };
    const answer = await network.request(
      get({ method: "PUT", headers: { authorization: "Bearer x" }, body: '{"a":"ä"}' }),
    );
    expect(seen).toEqual([["PUT", "/path?a=b", "Bearer x", "10", '{"a":"ä"}']]);
    expect([answer.status, answer.headers["x-kind"], await collectText(answer.body, 100)]).toEqual([
      418,
      "teapot",
      "short and stout",
    ]);
  });

  test("use a connection again, also after an answer without a body that nobody read", async () => {
    answering = (_request, response) => response.writeHead(204).end();
    for (let round = 0; round < 20; round++) {
      const answer = await network.request(get());
      answer.cancel();
    }
    // The next request may come before the connection is free again.
    expect(connections).toBeLessThanOrEqual(2);
  });

  test("open a connection each when they are told to", async () => {
    network.close();
    network = new NodeNetwork({ keepAlive: false });
    answering = (_request, response) => response.end("x");
    for (let round = 0; round < 3; round++) await collectText((await network.request(get())).body, 10);
    expect(connections).toBe(3);
  });

  test("wait for a connection when all are in use", async () => {
    network.close();
    network = new NodeNetwork({ connectionsMax: 2 });
    answering = (_request, response) => response.end("x");
    const texts = await Promise.all(
      Array.from({ length: 20 }, async () => collectText((await network.request(get())).body, 10)),
    );
    expect([texts.join(""), connections]).toEqual(["x".repeat(20), 2]);
  });

  test("a kept connection that the server has closed is no failure of the next GET", async () => {
    answering = (request, response) => {
      response.end("x");
      // As a server does that ends an idle connection just when the next request comes.
      if (connections === 1) response.once("finish", () => setImmediate(() => request.socket.destroy()));
    };
    for (let round = 0; round < 2; round++)
      expect(await collectText((await network.request(get())).body, 10)).toBe("x");
  });

  test("fail with the platform's code: nobody listens, no answer, a body cut short, a signal", async () => {
    answering = () => undefined;
    expect(await codeOf(network.request(get({ idleTimeoutMs: 50 })))).toBe("ETIMEDOUT");
    answering = (_request, response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("12345");
      response.flushHeaders();
      setImmediate(() => response.destroy());
    };
    const cut = await network.request(get());
    expect(await codeOf(collectText(cut.body, 100))).toBe("ECONNRESET");
    answering = () => undefined;
    const abort = new AbortController();
    const asked = network.request(get({ signal: abort.signal }));
    abort.abort(new Error("enough"));
    await expect(asked).rejects.toThrow("enough");
    const port = (server.address() as AddressInfo).port;
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
    expect(await codeOf(network.request(get({ url: `http://127.0.0.1:${port}/` })))).toBe("ECONNREFUSED");
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });

  test("through a proxy, or with a key in hardware, are refused", async () => {
    expect(await codeOf(network.request(get({ proxy: "http://proxy.example.com:3128" })))).toBe("ENOSYS");
    const keyInEngine = { engine: "pkcs11", id: "pkcs11:object=key" };
    expect(await codeOf(network.request(get({ tls: { keyInEngine } })))).toBe("ENOSYS");
  });
});
