import { once } from "node:events";
import { connect } from "node:net";
import { createLogger } from "@upkeep/shared/logging";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { expect, onTestFinished, test, vi } from "vitest";
import * as z from "zod";
import { AccessLog } from "../../../mock-server/api/access-log.ts";
import { type Answer, empty } from "../../../mock-server/api/answers.ts";
import type { Authenticate } from "../../../mock-server/api/authentication.ts";
import { type DirectPorts, directly, type Gather, oneByOne } from "../../../mock-server/api/direct.ts";
import { RequestMetrics } from "../../../mock-server/api/operations/metrics.ts";
import { DEFAULT_OPTIONS } from "../../../mock-server/api/options.ts";
import { type Route, route } from "../../../mock-server/api/route.ts";
import { unauthorized } from "../../../mock-server/errors.ts";
import { listen } from "../../../mock-server/system/listen.ts";
import { TestSystem } from "../domain-fixture.ts";
import { TestServer } from "./fixture.ts";

const HOST = "127.0.0.1";
const NEXT = DEVICE_PATHS.nextV2;
const PROVIDES = { device_type: "board", artifact_name: "factory" };
const BODY_MAX = 1024 * 1024;
const NO_LOG = createLogger({ level: "fatal", format: "json", write: () => undefined, now: () => 0 });

type Way = "routing" | "listener";

/** A server that is reached over a socket, through the framework alone or the way that a real server goes. */
class Reached {
  readonly server: TestServer;
  readonly #port: number;

  private constructor(server: TestServer, port: number) {
    this.server = server;
    this.#port = port;
  }

  static async open(way: Way): Promise<Reached> {
    const server = await TestServer.open({ autoAccept: true });
    const listening = await listen(server.app[way], { host: HOST, port: 0 });
    onTestFinished(async () => void (await listening.close(0)));
    return new Reached(server, listening.port);
  }

  /** Everything that comes back on a connection of its own, until it is closed. */
  async exchange(sent: string | Buffer, { breakOff = false } = {}): Promise<string> {
    const socket = connect({ host: HOST, port: this.#port });
    let received = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      received += chunk;
    });
    const lines = this.server.logLines.length;
    socket.write(sent);
    if (breakOff) {
      // What came in the same packet has been looked at once the first answer is there.
      await vi.waitFor(() => expect(received).toContain("\r\n\r\n"));
      socket.destroy();
      await vi.waitFor(() => expect(this.server.logLines.length).toBeGreaterThan(lines + 1), { timeout: 5000 });
    } else await once(socket, "close");
    return received.replace(/^Date: .*\r\n/gm, "");
  }
}

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly chunked?: boolean;
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

function request(asked: Asked): string {
  const { body = "", chunked = false } = asked;
  const framed = chunked ? `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
  return head(asked) + framed;
}

const json = (value: unknown): string => JSON.stringify(value);

/** What a way answers and logs, all in all, to requests of every kind. The same twice, as chance and time are. */
async function transcript(
  way: Way,
): Promise<{ answers: readonly string[]; logged: readonly string[]; metrics: string }> {
  const one = await Reached.open(way);
  const { server } = one;
  const idle = await server.device("02:00:00:00:00:01");
  const busy = await server.device("02:00:00:00:00:02");
  const gone = await server.device("02:00:00:00:00:03");
  await server.domain.devices.decommission(gone.id);
  await server.uploaded();
  const deployment = await server.deployed("release-1", [busy.id]);
  const status = DEVICE_PATHS.status(deployment);
  const poll = json({ device_provides: PROVIDES });
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
    { token: idle.token, body: poll, path: `${NEXT}?a=b` },
    { token: idle.token, body: poll, path: `${NEXT}/` },
    { token: idle.token, body: poll, path: `${NEXT}%00` },
    { token: idle.token, body: poll, method: "PUT" },
    { token: idle.token, method: "OPTIONS" },
    { token: idle.token },
    { token: idle.token, body: "" },
    { token: idle.token, body: "{" },
    { token: idle.token, body: '"\u0000"' },
    { token: idle.token, body: json({ device_provides: { device_type: "board" } }) },
    { token: idle.token, body: json({ device_provides: { ...PROVIDES, other: 1 } }) },
    { token: idle.token, body: `{"device_provides":${"[".repeat(100)}${"]".repeat(100)}}` },
    { token: idle.token, body: json({ device_provides: { ...PROVIDES, other: "x".repeat(BODY_MAX) } }) },
    { token: idle.token, body: json({ device_provides: { ...PROVIDES, other: "x".repeat(BODY_MAX) } }), chunked: true },
    { body: poll },
    { token: "none", body: poll },
    { token: server.userToken, body: poll },
    { token: gone.token, body: poll },
    { token: busy.token, body: json({ status: "installing" }), method: "PUT", path: status },
    { token: busy.token, body: poll },
    { token: busy.token, body: json({ device_provides: PROVIDES, update_control_map: true }) },
    { token: busy.token, body: json({ status: "installing" }), method: "PUT", path: status },
    { token: busy.token, body: json({ status: "pending" }), method: "PUT", path: status },
    { token: idle.token, body: json({ status: "installing" }), method: "PUT", path: status },
    { token: busy.token, body: json({ status: "installing" }), method: "PUT", path: DEVICE_PATHS.status("no%20id") },
    { token: busy.token, body: json({ status: "installing" }), method: "PUT", path: DEVICE_PATHS.status("../x") },
    { token: busy.token, body: json({ device_provides: { ...PROVIDES, artifact_name: "other" } }) },
    { token: busy.token, body: json({ status: "success" }), method: "PUT", path: status },
    { token: busy.token, body: poll },
  ];
  const answers: string[] = [];
  for (const each of asked) answers.push(await one.exchange(request(each)));
  // Several at once on one connection are answered in their order.
  const kept = { connection: "keep-alive" };
  const [first, second] = [
    { token: idle.token, body: poll, headers: kept },
    { token: "none", body: poll, headers: kept },
  ];
  const third = { token: idle.token, body: "{" };
  answers.push(await one.exchange([first, second, third].map(request).join("")));
  // The body is announced, and never comes to its end.
  const broken = head({ token: idle.token, body: poll }) + poll.slice(0, 10);
  answers.push(await one.exchange(request(first) + broken, { breakOff: true }));
  const metrics = (await server.manage("/metrics")).body
    .split("\n")
    .filter((line) => /nextV?|deployments\/next|status/.test(line));
  const isWarning = (line: string): boolean => line.startsWith('{"level":"warning"');
  // What stands before a request's own line is in another order where requests go side by side.
  const logged = server.logLines
    .map((line) => line.replaceAll(/"stack":"(?:[^"\\]|\\.)*"/g, ""))
    .sort((a, b) => Number(isWarning(a)) - Number(isWarning(b)));
  return { answers, logged, metrics: metrics.join("\n") };
}

test("A request of a device is answered, logged and counted the same, whether the framework carries it or not", async () => {
  const through = await transcript("routing");
  const direct = await transcript("listener");
  expect(direct.answers.map((answer) => answer.split("\r\n", 1)[0])).toContain("HTTP/1.1 200 OK");
  expect(direct).toEqual(through);
});

/** A server of these routes alone; whatever is for none of them goes `otherwise`. */
async function serve(routes: readonly Route[], ports: Partial<DirectPorts>, otherwise: () => void): Promise<number> {
  const system = new TestSystem();
  const listener = directly(
    routes,
    (_request, response) => {
      otherwise();
      response.end();
    },
    {
      system,
      authenticate: () => undefined,
      options: DEFAULT_OPTIONS,
      accessLog: new AccessLog(NO_LOG, system.clock),
      metrics: new RequestMetrics(),
      logger: NO_LOG,
      answered: () => undefined,
      gather: oneByOne,
      ...ports,
    },
  );
  const listening = await listen(listener, { host: HOST, port: 0 });
  onTestFinished(async () => void (await listening.close(0)));
  return listening.port;
}

/** The status of the answer, once the connection is closed. */
async function statusOf(port: number, asked: Asked): Promise<number> {
  const socket = connect({ host: HOST, port });
  let received = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    received += chunk;
  });
  socket.write(request(asked));
  await once(socket, "close");
  return Number(received.split(" ", 2)[1]);
}

const post = (path: string, frequent: boolean, handle: () => Answer) =>
  route({
    method: "POST",
    path,
    summary: "",
    access: "public",
    frequent,
    body: { schema: z.unknown(), tooLarge: 400 },
    answers: {},
    handle,
  });

test.each([
  ["as devices send it", { body: "{}" }, false],
  ["in chunks", { body: "{}", chunked: true }, true],
  ["longer than devices send it", { body: `"${"x".repeat(16_384)}"` }, true],
  ["with a type that says more", { body: "{}", headers: { "content-type": "application/json; charset=utf-8" } }, true],
  ["with a query", { body: "{}", path: "/frequent?a=b" }, true],
  ["of another method", { body: "{}", method: "PUT" }, true],
  ["for another path", { body: "{}", path: "/seldom" }, true],
] as const)("A frequent request %s is carried by the framework or not (%#)", async (_, asked, byFramework) => {
  let carried = false;
  const routes = [post("/frequent", true, () => empty(204)), post("/seldom", false, () => empty(204))];
  const port = await serve(routes, {}, () => {
    carried = true;
  });
  await statusOf(port, { path: "/frequent", ...asked });
  expect(carried).toBe(byFramework);
});

/** Gathers until it is told to hand on. */
class Held {
  count = 0;
  readonly #releases: (() => void)[] = [];

  readonly gather: Gather = <T>(take: (all: readonly T[]) => void) => {
    const held: T[] = [];
    this.#releases.push(() => take(held.splice(0)));
    return (one: T) => {
      held.push(one);
      this.count += 1;
    };
  };

  release(): void {
    for (const release of this.#releases) release();
  }
}

test("Requests that came together are all let in before one is answered, and what becomes of one is nothing to another", async () => {
  const steps: string[] = [];
  const held = new Held();
  const routes = ["/first", "/refused", "/failing", "/last"].map((path) =>
    post(path, true, () => {
      steps.push(`${path} answered`);
      if (path === "/failing") throw new Error("a mistake of ours");
      return empty(204);
    }),
  );
  const authenticate: Authenticate = ({ url }) => {
    steps.push(`${url} let in`);
    if (url === "/refused") throw unauthorized();
    return undefined;
  };
  const port = await serve(routes, { gather: held.gather, authenticate }, () => undefined);
  const statuses: Promise<number>[] = [];
  for (const { path } of routes) {
    statuses.push(statusOf(port, { path, body: "{}" }));
    await vi.waitFor(() => expect(held.count).toBe(statuses.length));
  }
  held.release();
  expect(await Promise.all(statuses)).toEqual([204, 401, 500, 204]);
  expect(steps).toEqual([
    ...routes.map(({ path }) => `${path} let in`),
    "/first answered",
    "/failing answered",
    "/last answered",
  ]);
});
