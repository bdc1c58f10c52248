import { once } from "node:events";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { expect, test, vi } from "vitest";
import { listen } from "../../../mock-server/system/listen.ts";
import { fc } from "../../support/fast-check.ts";
import { WAIT_MS } from "../../support/patience.ts";
import { TestDevice } from "../domain-fixture.ts";
import { DEPLOYMENTS, TestServer } from "./fixture.ts";

const HOST = "127.0.0.1";
const NEXT = DEVICE_PATHS.nextV2;
const PROVIDES = { device_type: "board", artifact_name: "factory" };
const BODY_MAX = 1024 * 1024;
const KEYS = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"].map(
  (mac) => new TestDevice(JSON.stringify({ mac })),
);

type Way = "ordinary" | "fast";

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly chunked?: boolean;
}

/** A server with three devices that is reached over a socket, with or without the fast path. */
class Reached {
  readonly server: TestServer;
  readonly devices: readonly { readonly id: string; readonly token: string }[];
  readonly #port: number;
  readonly #toNext: () => number;

  private constructor(
    server: TestServer,
    devices: readonly { readonly id: string; readonly token: string }[],
    port: number,
    toNext: () => number,
  ) {
    this.server = server;
    this.devices = devices;
    this.#port = port;
    this.#toNext = toNext;
  }

  static async open(way: Way): Promise<Reached & AsyncDisposable> {
    const server = await TestServer.open({ autoAccept: true });
    const { app, domain } = server;
    const next = vi.spyOn(domain.deviceSide, "next");
    const listening = await listen(way === "fast" ? app.listener : app.routing, { host: HOST, port: 0 });
    const devices: { id: string; token: string }[] = [];
    for (const key of KEYS) {
      const token = await domain.authentication.authorize(key.request());
      devices.push({ id: (await domain.authentication.verify(token)).deviceId, token });
    }
    const reached = new Reached(server, devices, listening.port, () => next.mock.calls.length);
    return Object.assign(reached, { [Symbol.asyncDispose]: async () => void (await listening.close(0)) });
  }

  /** How many polls reached the domain. */
  get pollsOfDomain(): number {
    return this.#toNext();
  }

  token(index: number): string {
    return this.devices[index]?.token ?? "none";
  }

  /** Everything that comes back on a connection of its own, until it is closed. */
  async exchange(sent: Buffer, { breakOff = false } = {}): Promise<string> {
    const socket = connect({ host: HOST, port: this.#port });
    let received = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      received += chunk;
    });
    const lines = this.server.logLines.length;
    socket.write(sent);
    if (breakOff) {
      // The server has read the whole packet once the first answer has come.
      await vi.waitFor(() => expect(received).toContain("\r\n\r\n"), { timeout: WAIT_MS });
      socket.destroy();
      await vi.waitFor(() => expect(this.server.logLines.length).toBeGreaterThan(lines + 1), { timeout: WAIT_MS });
    } else await once(socket, "close");
    return received.replace(/^Date: .*\r\n/gm, "");
  }

  /** What the server logged, counted and recorded. */
  async written(): Promise<{ logged: readonly string[]; metrics: readonly string[]; records: unknown }> {
    const metrics = (await this.server.manage("/metrics")).body
      .split("\n")
      .filter((line) => /deployments\/next|status/.test(line));
    const logged = this.server.logLines.map((line) => line.replaceAll(/"stack":"(?:[^"\\]|\\.)*"/g, ""));
    const { tables } = await this.server.domain.snapshots.take();
    // Warnings stand before or after the lines of requests that were handled side by side.
    return { logged: logged.toSorted(), metrics: metrics.toSorted(), records: tables };
  }
}

/** One request, after which the connection is closed. */
function head({ method = "POST", path = NEXT, token, headers = {}, body, chunked = false }: Asked): string {
  const fields: Record<string, string> = {
    host: "server.example",
    connection: "close",
    "x-men-requestid": "the-same",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { "content-type": "application/json" }),
    ...(body === undefined || chunked ? {} : { "content-length": String(Buffer.byteLength(body)) }),
    ...(chunked ? { "transfer-encoding": "chunked" } : {}),
    ...headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  return `${[`${method} ${path} HTTP/1.1`, ...lines].join("\r\n")}\r\n\r\n`;
}

function request(asked: Asked): Buffer {
  const { body = "", chunked = false } = asked;
  const bytes = Buffer.from(body);
  const framed = chunked
    ? Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n0\r\n\r\n")])
    : bytes;
  return Buffer.concat([Buffer.from(head(asked)), framed]);
}

const json = (value: unknown): string => JSON.stringify(value);

/** What a way answers and writes to requests of every kind. Both servers have the same time and chance. */
async function transcript(way: Way) {
  await using one = await Reached.open(way);
  const { server } = one;
  const [idle, busy, gone] = one.devices;
  if (idle === undefined || busy === undefined || gone === undefined) throw new Error("a device is missing");
  await server.domain.devices.decommission(gone.id);
  await server.uploaded();
  const deployment = await server.deployed("release-1", [busy.id]);
  const status = DEVICE_PATHS.status(deployment);
  const poll = json({ device_provides: PROVIDES });
  const large = json({ device_provides: { ...PROVIDES, other: "x".repeat(BODY_MAX) } });
  const asked: readonly Asked[] = [
    { token: idle.token, body: poll },
    { token: idle.token, body: poll },
    { token: idle.token, body: json(PROVIDES), path: DEVICE_PATHS.nextV1 },
    { token: idle.token, body: poll, chunked: true },
    { token: idle.token, body: poll, headers: { "content-type": "Application/JSON; charset=utf-8" } },
    { token: idle.token, body: poll, headers: { "content-type": "text/plain" } },
    { token: idle.token, body: poll, headers: { "content-type": "nonsense" } },
    { token: idle.token, body: poll, headers: { expect: "100-continue" } },
    { token: idle.token, body: poll, headers: { authorization: `bearer   ${idle.token}  ` } },
    { token: idle.token, body: poll, headers: { authorization: `Basic ${idle.token}` } },
    { token: idle.token, body: gzipSync(poll), headers: { "content-encoding": "gzip" } },
    { token: idle.token, body: poll, headers: { "if-none-match": "*", "if-modified-since": "yesterday" } },
    { token: idle.token, body: poll, path: `${NEXT}?a=b` },
    { token: idle.token, body: poll, path: `${NEXT}/` },
    { token: idle.token, body: poll, path: `${NEXT}%00` },
    { token: idle.token, body: poll, method: "PUT" },
    { token: idle.token, method: "OPTIONS" },
    { token: idle.token, method: "HEAD", path: `${DEVICE_PATHS.nextV1}?artifact_name=a&device_type=board` },
    { token: idle.token, method: "GET", path: `${DEVICE_PATHS.nextV1}?artifact_name=a&device_type=board` },
    { token: idle.token },
    { token: idle.token, body: "" },
    { token: idle.token, body: "{" },
    { token: idle.token, body: '"\u0000"' },
    { token: idle.token, body: json({ device_provides: { device_type: "board" } }) },
    { token: idle.token, body: json({ device_provides: { ...PROVIDES, other: 1 } }) },
    { token: idle.token, body: `{"device_provides":${"[".repeat(100)}${"]".repeat(100)}}` },
    { token: idle.token, body: json({ device_provides: { ...PROVIDES, other: "x".repeat(17_000) } }) },
    { token: idle.token, body: large },
    { token: idle.token, body: large, chunked: true },
    { body: poll },
    { token: "none", body: poll },
    { token: server.userToken, body: poll },
    { token: gone.token, body: poll },
    { token: busy.token, body: json({ status: "installing" }), method: "PUT", path: status },
    { token: busy.token, body: poll },
    { token: busy.token, body: json({ device_provides: PROVIDES, update_control_map: true }) },
    { token: busy.token, body: json({ status: "installing" }), method: "PUT", path: status },
    { token: busy.token, body: json({ status: "pending" }), method: "PUT", path: status },
    { token: busy.token, body: json({ device_provides: { ...PROVIDES, artifact_name: "other" } }) },
    { token: busy.token, body: json({ status: "success" }), method: "PUT", path: status },
    { token: busy.token, body: poll },
  ];
  const answers: string[] = [];
  for (const each of asked) answers.push(await one.exchange(request(each)));
  // Pipelined requests are answered in their order.
  const kept = { connection: "keep-alive" };
  const first = { token: idle.token, body: poll, headers: kept };
  const second = { token: "none", body: poll, headers: kept };
  const third = { token: idle.token, body: "{", headers: kept };
  const fourth = { token: idle.token, body: poll };
  answers.push(await one.exchange(Buffer.concat([first, second, third, fourth].map(request))));
  // The body is announced and never completed.
  const broken = Buffer.from(head({ token: idle.token, body: poll }) + poll.slice(0, 10));
  answers.push(await one.exchange(Buffer.concat([request(first), broken]), { breakOff: true }));
  return { answers, polls: one.pollsOfDomain, ...(await one.written()) };
}

test("A request of a device is answered, logged, counted and recorded the same with the fast path and without it", async () => {
  const { polls: ordinaryPolls, ...ordinary } = await transcript("ordinary");
  const { polls: fastPolls, ...fast } = await transcript("fast");
  expect(ordinary.answers.map((answer) => answer.split("\r\n", 1)[0])).toContain("HTTP/1.1 200 OK");
  expect(fast).toEqual(ordinary);
  // Else the test compares the ordinary way with itself.
  expect(fastPolls).toBeLessThan(ordinaryPolls);
});

const device = fc.nat(KEYS.length - 1);
const provides = fc.constantFrom<object>(
  PROVIDES,
  { ...PROVIDES, artifact_name: "release-1" },
  { ...PROVIDES, "rootfs.version": "7" },
  { device_type: "board" },
  { ...PROVIDES, artifact_name: "" },
  { ...PROVIDES, artifact_name: "\ud800" },
);
const body = fc.oneof(
  { weight: 6, arbitrary: provides.map((told) => json({ device_provides: told })) },
  { weight: 2, arbitrary: provides.map(json) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(json({ device_provides: PROVIDES, update_control_map: true }), "", "{", "[]"),
  },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: provides.map((told) => ` ${json({ device_provides: told })}\n`) },
  {
    weight: 1,
    arbitrary: fc.nat(20_000).map((size) => json({ device_provides: { ...PROVIDES, a: "x".repeat(size) } })),
  },
);
const headers = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Record<string, string>>({}) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Record<string, string>>(
      { "content-type": "application/json;charset=utf-8" },
      { "content-type": "text/plain" },
      { "content-encoding": "gzip" },
      { "if-none-match": '"x"' },
      { "x-men-requestid": "bad id" },
      { "x-men-requestid": "" },
      { "x-forwarded-for": "10.0.0.1" },
      { expect: "100-continue" },
      { authorization: "Bearer" },
      { range: "bytes=0-1" },
    ),
  },
);
const poll = fc.record({
  kind: fc.constant("poll" as const),
  device,
  path: fc.constantFrom(NEXT, NEXT, NEXT, DEVICE_PATHS.nextV1, `${NEXT}?x=1`),
  method: fc.constantFrom("POST", "POST", "POST", "POST", "PUT", "HEAD", "GET"),
  headers,
  body,
  chunked: fc.nat(9).map((number) => number === 0),
  /** Sent behind a poll of another device, on one connection. */
  pipelined: fc.nat(3).map((number) => number === 0),
});
const step = fc.oneof(
  { weight: 8, arbitrary: poll },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("deploy" as const), device }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("installing", "success", "failure"), device }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("abort", "reject", "revoke", "log-in"), device }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Performs one step. @returns The answers. */
async function perform(one: Reached, tokens: string[], deployments: string[], each: Step): Promise<unknown> {
  const { server, devices } = one;
  const id = devices[each.device]?.id ?? "";
  const token = tokens[each.device] ?? "none";
  const deployment = deployments.at(-1) ?? "none";
  switch (each.kind) {
    case "poll": {
      const { device: _, kind: __, pipelined, ...asked } = each as Extract<Step, { kind: "poll" }>;
      const last = request({ token, ...asked });
      if (!pipelined) return await one.exchange(last);
      const kept = { connection: "keep-alive" };
      // Both requests are handled at once. Of one device, a refused and an accepted poll would have no fixed order,
      // and a refusal is logged again only behind an accepted poll.
      const other = tokens[(each.device + 1) % tokens.length] ?? "none";
      const before = request({ token: other, body: json({ device_provides: PROVIDES }), headers: kept });
      return await one.exchange(Buffer.concat([before, last]));
    }
    case "deploy": {
      const body = { name: `number ${deployments.length}`, artifact_name: "release-1", devices: [id] };
      const { statusCode, headers } = await server.manage(`${DEPLOYMENTS}/deployments`, { method: "POST", body });
      if (statusCode === 201) deployments.push(String(headers.location).split("/").at(-1) ?? "");
      return statusCode;
    }
    case "abort":
      return (await server.manage(`${DEPLOYMENTS}/deployments/devices/${id}`, { method: "DELETE" })).statusCode;
    case "reject":
    case "revoke": {
      const { authSets } = await server.domain.devices.get(id);
      for (const { id: authSetId } of authSets) {
        if (each.kind === "revoke") await server.domain.devices.revokeTokens(authSetId);
        else await server.domain.devices.setAuthSetStatus(id, authSetId, "rejected").catch(() => undefined);
      }
      return undefined;
    }
    case "log-in": {
      const { authSets } = await server.domain.devices.get(id);
      for (const { id: authSetId } of authSets) {
        await server.domain.devices.setAuthSetStatus(id, authSetId, "accepted").catch(() => undefined);
      }
      const key = KEYS[each.device];
      if (key !== undefined) tokens[each.device] = await server.domain.authentication.authorize(key.request());
      return undefined;
    }
    default:
      return await one.exchange(
        request({ token, method: "PUT", path: DEVICE_PATHS.status(deployment), body: json({ status: each.kind }) }),
      );
  }
}

async function performAll(way: Way, steps: readonly Step[]) {
  await using one = await Reached.open(way);
  await one.server.uploaded();
  const tokens = one.devices.map(({ token }) => token);
  const deployments: string[] = [];
  const answers: unknown[] = [];
  for (const each of steps) answers.push(await perform(one, tokens, deployments, each));
  return { polls: one.pollsOfDomain, answers, ...(await one.written()) };
}

test("After any history, any poll is answered, logged, counted and recorded the same with the fast path and without it", async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30, size: "max" }), async (steps) => {
      const { polls: ordinaryPolls, ...ordinary } = await performAll("ordinary", steps);
      const { polls: fastPolls, ...fast } = await performAll("fast", steps);
      expect(fast).toEqual(ordinary);
      taken += ordinaryPolls - fastPolls;
    }),
    { numRuns: 10 },
  );
  expect(taken).toBeGreaterThan(0);
});
