import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { generate } from "selfsigned";
import { expect, onTestFinished, test, vi } from "vitest";
import { type Listening, listen, type TlsIdentity } from "../../../mock-server/system/listen.ts";
import type { PlainListener, PlainReply } from "../../../mock-server/system/plain-http.ts";

const HOST = "127.0.0.1";
const LONG_MS = 60_000;

interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

function gate(): Gate {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** A server whose plain side answers what is under `/plain`, and whose other side answers everything else. */
class Served {
  readonly told: string[] = [];
  /** What the plain side was asked. */
  readonly asked: string[] = [];
  readonly listening: Listening;

  private constructor(listening: Listening) {
    this.listening = listening;
  }

  static async open(payload = "plain", later?: Promise<void>, tls?: TlsIdentity): Promise<Served> {
    const plainly: PlainListener = ({ url, body }) => {
      if (!url.startsWith("/plain")) return undefined;
      const name = `${url} ${body}`;
      served.asked.push(url);
      const reply: PlainReply = {
        status: 200,
        headers: { "content-length": String(payload.length), odd: "a\r\nb" },
        payload,
        sent: () => served.told.push(`sent ${name}`),
        lost: () => served.told.push(`lost ${name}`),
      };
      return later === undefined ? reply : later.then(() => reply);
    };
    const listening = await listen(
      (request, response) => {
        served.told.push(`platform ${request.url}`);
        response.end("platform");
      },
      { host: HOST, port: 0, plainly, ...(tls === undefined ? {} : { tls }) },
    );
    const served = new Served(listening);
    onTestFinished(async () => void (await listening.close(0)));
    return served;
  }

  async connect(): Promise<Client> {
    const socket = connect({ port: this.listening.port, host: HOST });
    await once(socket, "connect");
    return new Client(socket);
  }
}

class Client {
  readonly socket: Socket;
  received = "";

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      this.received += chunk;
    });
  }

  async until(part: string | RegExp): Promise<void> {
    await vi.waitFor(() => expect(this.received).toMatch(part), { timeout: 5000, interval: 2 });
  }

  get bodies(): string[] {
    return [...this.received.matchAll(/\r\n\r\n(plain|platform)/g)].map(([, body = ""]) => body);
  }
}

const ask = (path: string, body = "", headers: readonly string[] = []): string =>
  [`POST ${path} HTTP/1.1`, "Host: h", `Content-Length: ${body.length}`, ...headers, "", body].join("\r\n");

test("a connection is kept from one plain request to the next, and the platform sees none of them", async () => {
  const served = await Served.open();
  const client = await served.connect();
  client.socket.write(ask("/plain/1", "a"));
  await client.until(/plain$/);
  client.socket.write(ask("/plain/2", "b"));
  await vi.waitFor(() => expect(client.bodies).toEqual(["plain", "plain"]));
  expect(client.received).toContain("\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\nplain");
  expect(client.received).toMatch(/^HTTP\/1\.1 200 OK\r\ncontent-length: 5\r\nodd: a\?\?b\r\nDate: .* GMT\r\n/);
  expect(served.told).toEqual(["sent /plain/1 a", "sent /plain/2 b"]);
  client.socket.destroy();
});

test("the platform takes over with the first request that is not plain, and nothing is lost or answered twice", async () => {
  const served = await Served.open();
  const client = await served.connect();
  client.socket.write(ask("/plain/1"));
  await client.until(/plain$/);
  client.socket.write(ask("/other/2", "body"));
  await client.until("platform");
  client.socket.write(ask("/plain/3"));
  await vi.waitFor(() => expect(client.bodies).toEqual(["plain", "platform", "platform"]));
  expect(served.told).toEqual(["sent /plain/1 ", "platform /other/2", "platform /plain/3"]);
  client.socket.destroy();
});

test("with TLS it is the same", async () => {
  const { private: key, cert: certificate } = await generate([{ name: "commonName", value: "h" }], { keyType: "ec" });
  const served = await Served.open("plain", undefined, { certificate, key });
  const socket = connectTls({ port: served.listening.port, host: HOST, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const client = new Client(socket);
  for (const [index, path] of ["/plain/1", "/other/2", "/plain/3"].entries()) {
    socket.write(ask(path, "body"));
    await vi.waitFor(() => expect(client.bodies).toHaveLength(index + 1));
  }
  expect(client.bodies).toEqual(["plain", "platform", "platform"]);
  expect(served.told).toEqual(["sent /plain/1 body", "platform /other/2", "platform /plain/3"]);
  socket.destroy();
});

test("requests in one piece are answered in their order, each once", async () => {
  const served = await Served.open();
  const client = await served.connect();
  client.socket.write(ask("/plain/1") + ask("/plain/2", "x") + ask("/other/3"));
  await vi.waitFor(() => expect(served.told).toHaveLength(3));
  expect(served.told).toEqual(["platform /plain/1", "platform /plain/2", "platform /other/3"]);
  client.socket.destroy();
});

test("a request in two pieces is the platform's", async () => {
  const served = await Served.open();
  const client = await served.connect();
  client.socket.setNoDelay();
  const text = ask("/plain/1", "body");
  client.socket.write(text.slice(0, 20));
  // The first piece is there once the platform has been given it.
  await new Promise<void>((resolve) => client.socket.write("", () => resolve()));
  client.socket.write(text.slice(20));
  await client.until(/platform|plain/);
  expect(client.bodies).toHaveLength(1);
  client.socket.destroy();
});

test("what comes while an answer is not ready is answered after it", async () => {
  const ready = gate();
  const served = await Served.open("plain", ready.opened);
  const client = await served.connect();
  client.socket.write(ask("/plain/1"));
  client.socket.write(ask("/other/2"));
  ready.open();
  await vi.waitFor(() => expect(client.bodies).toHaveLength(2));
  expect(served.told.map((one) => one.split(" ")[1])).toEqual(["/plain/1", "/other/2"]);
  client.socket.destroy();
});

test("whoever breaks off before the answer is told of as lost", async () => {
  const ready = gate();
  const served = await Served.open("plain", ready.opened);
  const client = await served.connect();
  client.socket.write(ask("/plain/1"));
  await vi.waitFor(() => expect(served.asked).toEqual(["/plain/1"]));
  client.socket.resetAndDestroy();
  // Whatever happens on a connection is seen before what happens later on another one.
  const other = await served.connect();
  other.socket.write(ask("/plain/2"));
  await vi.waitFor(() => expect(served.asked).toHaveLength(2));
  ready.open();
  await other.until("plain");
  expect(served.told).toEqual(["lost /plain/1 ", "sent /plain/2 "]);
  other.socket.destroy();
});

test("a client that wants its connection closed, or closes its half of it, gets its answer and the end", async () => {
  const served = await Served.open();
  const closing = await served.connect();
  closing.socket.write(ask("/plain/1", "", ["Connection: close"]));
  await once(closing.socket, "close");
  expect(closing.received).toMatch(/\r\nConnection: close\r\n\r\nplain$/);
  const half = await served.connect();
  half.socket.end(ask("/plain/2"));
  await once(half.socket, "close");
  expect(half.received).toMatch(/\r\n\r\nplain$/);
});

test("closing ends idle connections at once, and waits for an answer that is not ready", async () => {
  const ready = gate();
  const served = await Served.open("plain", ready.opened);
  const idle = await served.connect();
  const busy = await served.connect();
  busy.socket.write(ask("/plain/1"));
  await vi.waitFor(() => expect(served.asked).toHaveLength(1));
  const closed = served.listening.close(LONG_MS);
  if (!idle.socket.closed) await once(idle.socket, "close");
  ready.open();
  expect(await closed).toBe(0);
  expect(busy.received).toMatch(/\r\nConnection: close\r\n\r\nplain$/);
});

test("nothing more is read of a client that does not take its answers", async () => {
  const served = await Served.open("plain".repeat(400_000));
  const client = await served.connect();
  client.socket.pause();
  const sent = 200;
  for (let number = 0; number < sent; number += 1) {
    await new Promise<void>((resolve) => client.socket.write(ask("/plain/x"), () => resolve()));
  }
  // It is one piece by now, or several: whoever reads them answers them all, once they are taken.
  expect(served.told.length).toBeLessThan(sent);
  client.socket.resume();
  client.socket.end();
  await once(client.socket, "close");
  expect(served.told).toHaveLength(sent);
});
