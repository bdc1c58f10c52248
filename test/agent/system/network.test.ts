import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { collectText, type HttpRequest } from "@upkeep/shared/system";
import { generate } from "selfsigned";
import { afterEach, describe, expect, it, vi } from "vitest";
import { linuxNetwork as network } from "../../../agent/system/network.ts";

const IDLE_MS = 20_000;
const servers: Server[] = [];

afterEach(() => {
  vi.useRealTimers();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(server: Server, scheme = "http"): Promise<string> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const serve = (listener: RequestListener): Promise<string> => listen(createServer(listener));

const get = (url: string, more: Partial<HttpRequest> = {}) =>
  network.request({ method: "GET", url, idleTimeoutMs: IDLE_MS, ...more });

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** A server with a certificate of its own that is valid from `notBefore` on. */
async function serveTls(notBefore: Date): Promise<{ url: string; certificate: string }> {
  const { private: key, cert } = await generate([{ name: "commonName", value: "localhost" }], {
    notBeforeDate: notBefore,
    notAfterDate: new Date(notBefore.getTime() + 24 * 3600 * 1000),
    extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }],
  });
  const url = await listen(
    createTlsServer({ key, cert }, (_request, response) => response.end("secret")),
    "https",
  );
  return { url, certificate: cert };
}

describe("requests of the real door", () => {
  it("send exactly the bytes and headers given, and no others of their own choice", async () => {
    const url = await serve(async (request, response) => {
      response.setHeader("set-cookie", ["a=1", "b=2"]);
      response.end(JSON.stringify({ headers: request.headers, method: request.method, body: await textOf(request) }));
    });
    const body = '{"a" :  "é"}';
    const answer = await network.request({
      method: "POST",
      url: `${url}/path?x=1`,
      headers: { "Content-Type": "application/json", "User-Agent": "Upkeep/1" },
      body,
      idleTimeoutMs: IDLE_MS,
    });
    expect(answer.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    const seen = JSON.parse(await collectText(answer.body, 10_000));
    expect(seen.method).toBe("POST");
    expect(seen.body).toBe(body);
    expect(seen.headers).toMatchObject({
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(body)),
      "accept-encoding": "identity",
      "user-agent": "Upkeep/1",
    });
    const plain = JSON.parse(await collectText((await get(url)).body, 10_000));
    expect(plain.headers).not.toHaveProperty("content-type");
  });

  it("follow no redirect, decompress nothing, and take any status for an answer", async () => {
    const url = await serve((request, response) => {
      if (request.url === "/moved") response.writeHead(302, { location: "/elsewhere" }).end();
      else if (request.url === "/packed") response.writeHead(200, { "content-encoding": "gzip" }).end("not gzip");
      else response.writeHead(500).end("<html>no</html>");
    });
    expect((await get(`${url}/moved`)).status).toBe(302);
    expect(await collectText((await get(`${url}/packed`)).body, 100)).toBe("not gzip");
    const failed = await get(url);
    expect([failed.status, await collectText(failed.body, 100)]).toEqual([500, "<html>no</html>"]);
  });

  it("tell a body that was cut from one that is complete", async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { "content-length": "100000" });
      response.write(Buffer.alloc(30_000), () => response.destroy());
    });
    const answer = await get(url);
    let received = 0;
    await expect(
      (async () => {
        for await (const chunk of answer.body) received += chunk.length;
      })(),
    ).rejects.toMatchObject({ name: "SystemError", code: "ECONNRESET" });
    expect(received).toBe(30_000);
  });

  it("hand over all that came before a break to a reader that is slow", async () => {
    let broken: Promise<unknown> = Promise.resolve();
    const url = await serve((_request, response) => {
      broken = once(response, "close");
      response.writeHead(200, { "content-length": "1000000" });
      response.write(Buffer.alloc(150_000), () => response.destroy());
    });
    const answer = await get(url);
    let received = 0;
    await expect(
      (async () => {
        for await (const chunk of answer.body) {
          received += chunk.length;
          await broken;
        }
      })(),
    ).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(received).toBe(150_000);
  });

  it("give up on a peer that never answers, and on one that stops in the middle", async () => {
    const url = await serve((request, response) => {
      if (request.url === "/silent") return;
      response.writeHead(200, { "content-length": "10" });
      response.write("half");
    });
    await expect(get(`${url}/silent`, { idleTimeoutMs: 60 })).rejects.toMatchObject({ code: "ETIMEDOUT" });
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    const body = (await get(url)).body[Symbol.asyncIterator]();
    expect(String((await body.next()).value)).toBe("half");
    const rest = body.next();
    vi.advanceTimersByTime(IDLE_MS);
    await expect(rest).rejects.toMatchObject({ code: "ETIMEDOUT" });
  });

  it("have patience with a reader of ours that is slower than the idle timeout", async () => {
    const url = await serve((_request, response) => response.end(Buffer.alloc(8 * 1024 * 1024)));
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    const answer = await get(url);
    let received = 0;
    for await (const chunk of answer.body) {
      vi.advanceTimersByTime(3 * IDLE_MS);
      received += chunk.length;
    }
    expect(received).toBe(8 * 1024 * 1024);
  });

  it("end with the reason of an abort, before the head and in the body", async () => {
    const url = await serve((request, response) => {
      if (request.url !== "/silent") response.writeHead(200, { "content-length": "10" }).write("half");
    });
    const reason = new Error("enough");
    const before = new AbortController();
    const silent = get(`${url}/silent`, { signal: before.signal });
    before.abort(reason);
    await expect(silent).rejects.toBe(reason);
    const within = new AbortController();
    const answer = await get(url, { signal: within.signal });
    await expect(
      (async () => {
        for await (const _chunk of answer.body) within.abort(reason);
      })(),
    ).rejects.toBe(reason);
  });

  it("name the fault when nobody is there", async () => {
    const url = await serve(() => undefined);
    const server = servers.pop();
    server?.close();
    if (server) await once(server, "close");
    await expect(get(url)).rejects.toMatchObject({ name: "SystemError", code: "ECONNREFUSED" });
    await expect(get("http://no-such-host.invalid/")).rejects.toMatchObject({
      code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/),
    });
  });

  it("repeat on a fresh connection what a kept one that has gone stale could not carry", async () => {
    let requests = 0;
    const server = createServer((_request, response) => {
      requests++;
      response.end("ok");
    });
    // The peer drops a kept connection without a word, just when the next request comes on it.
    server.on("connection", (socket) => {
      let uses = 0;
      socket.on("data", () => {
        if (++uses === 2) socket.destroy();
      });
    });
    const url = await listen(server);
    expect(await collectText((await get(url)).body, 10)).toBe("ok");
    expect(await collectText((await get(url)).body, 10)).toBe("ok");
    expect(requests).toBe(2);
  });
});

describe("TLS of the real door", () => {
  it("trusts the certificates it is given, and skips the check only when told to", async () => {
    const { url, certificate } = await serveTls(new Date(Date.now() - 3600_000));
    await expect(get(url)).rejects.toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    expect(await collectText((await get(url, { tls: { trusted: certificate } })).body, 100)).toBe("secret");
    expect(await collectText((await get(url, { tls: { skipVerify: true } })).body, 100)).toBe("secret");
  });

  it("names a certificate that is not valid yet", async () => {
    const { url, certificate } = await serveTls(new Date(Date.now() + 3600_000));
    await expect(get(url, { tls: { trusted: certificate } })).rejects.toMatchObject({ code: "CERT_NOT_YET_VALID" });
  });
});
