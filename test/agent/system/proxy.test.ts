import { once } from "node:events";
import { createServer, type IncomingMessage, Server, request as send } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from "node:net";
import type { Duplex } from "node:stream";
import { collectText, type HttpRequest } from "@upkeep/shared/system";
import { generate } from "selfsigned";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { linuxNetwork as network } from "../../../agent/system/network.ts";

const servers: TcpServer[] = [];
const sockets = new Set<Socket>();
let pems: { private: string; cert: string };

beforeAll(async () => {
  const extensions = [{ name: "subjectAltName" as const, altNames: [{ type: 7 as const, ip: "127.0.0.1" }] }];
  pems = await generate([{ name: "commonName", value: "localhost" }], { extensions });
});

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) {
    if (server instanceof Server || server instanceof TlsServer) server.closeAllConnections();
    server.close();
  }
});

async function listen(server: TcpServer): Promise<number> {
  servers.push(server);
  server.on("connection", (socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

type Seen = { line: string; authorization: string | undefined };

/** A proxy that does what proxies do, and keeps what it was asked. */
async function proxy({ secure = false, refuse = 0 } = {}): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const note = ({ method, url, headers }: IncomingMessage): void => {
    seen.push({ line: `${method} ${url}`, authorization: headers["proxy-authorization"] });
  };
  const server = secure ? createTlsServer({ key: pems.private, cert: pems.cert }) : createServer();
  server.on("request", (request: IncomingMessage, response) => {
    note(request);
    const { method, headers } = request;
    const onward = send(String(request.url), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  server.on("connect", (request: IncomingMessage, client: Socket) => {
    note(request);
    if (refuse > 0) {
      client.end(`HTTP/1.1 ${refuse} No\r\n\r\n`);
      return;
    }
    const [host, port] = String(request.url).split(":");
    const onward = connect(Number(port), host, () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.pipe(client).pipe(onward);
    });
    sockets.add(onward).add(client);
    for (const socket of [client, onward]) socket.on("error", () => undefined);
  });
  return { url: `${secure ? "https" : "http"}://me:sec%3Aret@127.0.0.1:${await listen(server)}`, seen };
}

const AUTHORIZATION = `Basic ${Buffer.from("me:sec:ret").toString("base64")}`;

async function origin(secure: boolean): Promise<string> {
  const answer = (request: IncomingMessage, response: { end(text: string): void }): void => {
    response.end(`${request.method} ${request.url} ${request.headers.host} ${request.headers["proxy-authorization"]}`);
  };
  const port = await listen(
    secure ? createTlsServer({ key: pems.private, cert: pems.cert }, answer) : createServer(answer),
  );
  return `${secure ? "https" : "http"}://127.0.0.1:${port}`;
}

const get = (url: string, more: Partial<HttpRequest> = {}) =>
  network.request({ method: "GET", url, idleTimeoutMs: 20_000, tls: { trusted: pems.cert }, ...more });

describe.each([false, true])("a proxy (over TLS: %s)", (secure) => {
  it("is asked for plain HTTP by the whole URL", async () => {
    const { url, seen } = await proxy({ secure });
    const target = await origin(false);
    const text = await collectText((await get(`${target}/a?b=1`, { proxy: url })).body, 1000);
    // This test's proxy hands its own header on, so that it can be looked at.
    expect(text).toBe(`GET /a?b=1 ${new URL(target).host} ${AUTHORIZATION}`);
    expect(seen).toEqual([{ line: `GET ${target}/a?b=1`, authorization: AUTHORIZATION }]);
  });

  it("opens a tunnel for TLS, and sees nothing else; a connection is used again", async () => {
    const { url, seen } = await proxy({ secure });
    const target = await origin(true);
    for (const path of ["/a", "/b"]) {
      const text = await collectText((await get(`${target}${path}`, { proxy: url })).body, 1000);
      expect(text).toBe(`GET ${path} ${new URL(target).host} undefined`);
    }
    expect(seen).toEqual([{ line: `CONNECT ${new URL(target).host}`, authorization: AUTHORIZATION }]);
  });

  it("that opens no tunnel is named", async () => {
    const { url } = await proxy({ secure, refuse: 407 });
    await expect(get(await origin(true), { proxy: url })).rejects.toMatchObject({
      code: "EPROXY",
      message: expect.stringMatching(/^the proxy 127\.0\.0\.1:\d+ opens no way to 127\.0\.0\.1:\d+: 407 No$/),
    });
  });
});

/** Reads, so that the end of the connection shows, and says nothing. */
function leaveOpen(_request: IncomingMessage, socket: Duplex): void {
  socket.on("end", () => socket.end()).resume();
}

describe("a proxy", () => {
  it("that is not there is named", async () => {
    const { url } = await proxy();
    const [server] = servers.splice(0);
    server?.close();
    await expect(get(await origin(true), { proxy: url })).rejects.toMatchObject({
      code: "EPROXY",
      message: expect.stringMatching(/^the proxy 127\.0\.0\.1:\d+ cannot be used: connect ECONNREFUSED/),
    });
  });

  it("that takes a request for a tunnel and says nothing is given up in time", async () => {
    const server = createServer();
    server.on("connect", () => undefined);
    const url = `http://127.0.0.1:${await listen(server)}`;
    await expect(get(await origin(true), { proxy: url, idleTimeoutMs: 100 })).rejects.toMatchObject({
      code: "ETIMEDOUT",
    });
  });

  it.each([
    ["takes CONNECT and says nothing", () => createServer().on("connect", leaveOpen)],
    ["takes the connection and says nothing", () => createTcpServer()],
    ["takes the connection for TLS and says nothing", () => createTcpServer(), "https"],
  ])(
    "that %s is left when the request is given up, and when it was idle for too long",
    async (_name, make, scheme = "http") => {
      const server = make();
      const closed: Promise<unknown>[] = [];
      const connected = new Promise<void>((resolve) => {
        server.on("connection", (socket: Socket) => {
          socket.on("error", () => undefined);
          socket.resume();
          closed.push(once(socket, "close"));
          resolve();
        });
      });
      const proxyUrl = `${scheme}://127.0.0.1:${await listen(server)}`;
      const target = await origin(true);
      const stop = new AbortController();
      const stopped = get(target, { proxy: proxyUrl, signal: stop.signal });
      await connected;
      stop.abort(new Error("stopped by the test"));
      await expect(stopped).rejects.toThrow("stopped by the test");
      await closed[0];
      await expect(get(target, { proxy: proxyUrl, idleTimeoutMs: 100 })).rejects.toMatchObject({ code: "ETIMEDOUT" });
      await closed[1];
      expect(closed).toHaveLength(2);
    },
  );

  it("does not make a wrong certificate of the server good", async () => {
    const { url } = await proxy();
    await expect(get(await origin(true), { proxy: url, tls: {} })).rejects.toMatchObject({
      code: "DEPTH_ZERO_SELF_SIGNED_CERT",
    });
  });
});
