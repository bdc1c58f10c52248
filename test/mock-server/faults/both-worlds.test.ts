import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HttpMethod, HttpRequest } from "@upkeep/shared/system";
import { afterAll, beforeAll, expect, test } from "vitest";
import { linuxNetwork } from "../../../agent/system/network.ts";
import type { ExchangeAnswer, ExchangeRequest } from "../../../mock-server/faults/effects/exchange.ts";
import { served } from "../../../mock-server/faults/effects/objects.ts";
import {
  BAD_ARTIFACTS,
  definitionOf,
  FAULT_NAMES,
  type FaultName,
  type FaultOf,
  FaultPlan,
  type FaultsOf,
  type FaultValue,
} from "../../../mock-server/faults/index.ts";
import type { RequestKind } from "../../../mock-server/faults/language/request-kinds.ts";
import { ConnectHook } from "../../../mock-server/scenarios/real/connect-hook.ts";
import { Exchanges } from "../../../mock-server/scenarios/real/exchanges.ts";
import { DeviceProxy, type ProxyPort } from "../../../mock-server/scenarios/real/proxy.ts";
import { Disk, SimulatedMachine, VirtualTime } from "../../../mock-server/scenarios/simulation/index.ts";
import { DeviceNetwork } from "../../../mock-server/scenarios/world/network.ts";
import { openSystem } from "../../../mock-server/system/index.ts";
import { SeededRandom } from "../../../mock-server/system/seeded-random.ts";
import { type Experience, experience } from "./experience.ts";

type ExchangeFaultName = FaultsOf<"exchange">;

/** Longer than a loaded machine takes for an exchange without delays. */
const IDLE_TIMEOUT_MS = 1500;
const DELAY_MS = 400;
const LATE_MS = 60_000;
/** What is drawn of chance in both worlds. */
const DRAWN = 0.25;

const STATUSES = [200, 201, 204, 304, 400, 401, 403, 404, 408, 409, 413, 429, 500, 502, 503] as const;

/** Every value of each fault of an exchange, as its schema reads it; of sizes and durations, those that differ. */
const VALUES: { readonly [N in ExchangeFaultName]: readonly FaultValue<N>[] } = {
  link_down: [true, "refused", "unreachable", "silence"],
  cut_download: [
    { at: 5000 },
    { at: 5000, by: "silence" },
    { at: 12_000, by: "reset" },
    { every: 3000 },
    { every: 3000, by: "silence" },
    { every: 1_000_000 },
  ],
  slow: [100_000],
  lossy: (["request", "answer", "either"] as const).flatMap((lose) => [
    { lose },
    { lose, by: "reset" as const },
    { lose, by: "silence" as const },
  ]),
  reordered: [LATE_MS],
  duplicated: [true],
  dns_failure: [true, "not_found", "try_again"],
  proxy_fails: ["refused", "gone", "silence", DELAY_MS],
  tls_failure: ["handshake", "expired", "not_yet_valid", "unknown_issuer", "other_host"],
  answer: [
    ...STATUSES.map((status) => ({ status })),
    { status: 429, retry_after: 90_000 },
    { status: 401, body: '{"error":"a body"}' },
    { status: 200, body: "<html>Please log in</html>", headers: { "Content-Type": "text/html" } },
  ],
  malformed_answer: [true],
  empty_answer: [true],
  encoded_answer: ["gzip", "deflate", "br"],
  truncated_answer: [0, 7, 1_000_000],
  delayed_answer: [DELAY_MS, LATE_MS],
  changed_object: [true],
  expired_link: [true],
  bad_artifact: BAD_ARTIFACTS,
  range_ignored: [true],
  index_wrong: [true],
  chunk_wrong: [true],
  server_killed: [
    { when: "before", back_after: LATE_MS },
    { when: "after", back_after: LATE_MS },
  ],
  database_slow: [DELAY_MS],
};

const OBJECT = new SeededRandom("object").bytes(20_000);
const ETAG = '"the-object"';
const POLL = "/api/devices/v2/deployments/device/deployments/next";
const STORED = "/api/devices/v1/deployments/download/artifact/an-id";
const DOWNLOAD = "/api/devices/v1/deployments/download/an-artifact";
const JSON_TYPE = { "content-type": "application/json; charset=utf-8" };

/** A fault that concerns every request is tried on these. */
const ASKED_OF_ALL = ["a poll with work", "a poll without work", "a download"];

interface Asked {
  readonly kind: RequestKind;
  readonly request: { readonly method: HttpMethod; readonly path: string } & Pick<HttpRequest, "headers" | "body">;
  /** What the server says when nothing goes wrong. */
  readonly answer: (request: ExchangeRequest) => ExchangeAnswer;
}

const poll = (answer: ExchangeAnswer): Asked => ({
  kind: "poll",
  request: { method: "POST", path: POLL, headers: JSON_TYPE, body: "{}" },
  answer: () => answer,
});

const download = (headers: Record<string, string>, part?: "index" | "chunks"): Asked => ({
  kind: part ?? "download",
  request: { method: "GET", path: part === undefined ? DOWNLOAD : `${STORED}/${part}`, headers },
  answer: (request) => served(OBJECT, ETAG, request),
});

const ASKED: Readonly<Record<string, Asked>> = {
  "a poll with work": poll({
    status: 200,
    headers: { ...JSON_TYPE, "content-length": "17" },
    body: '{"id":"something"',
  }),
  "a poll without work": poll({ status: 204 }),
  "a status": {
    kind: "status",
    request: {
      method: "PUT",
      path: "/api/devices/v1/deployments/device/deployments/1/status",
      headers: JSON_TYPE,
      body: '{"status":"installing"}',
    },
    answer: () => ({ status: 204 }),
  },
  "a download": download({}),
  "a download that goes on": download({ range: "bytes=8000-", "if-range": ETAG }),
  "an index": download({}, "index"),
  "a range of chunks": download({ range: "bytes=5000-6999" }, "chunks"),
  "a download that goes on, of another object": download({ range: "bytes=8000-", "if-range": '"another"' }),
};

/** What both worlds are the same for: the fault, the server, the artifacts, the chance. */
class Stage {
  readonly plan: FaultPlan;
  delivered = 0;
  /** The exchange as the world records it: the status that the device gets, or that it gets no answer. */
  readonly recorded: (number | "no answer")[] = [];

  constructor(
    what: FaultOf<ExchangeFaultName>,
    readonly asked: Asked,
  ) {
    this.plan = new FaultPlan([{ what: what as FaultOf<FaultName>, count: 1 }], "seed");
  }

  record({ status = "no answer" }: { readonly status?: number | "no answer" } = {}): void {
    this.recorded.push(status);
  }

  readonly random = { ...openSystem().random, fraction: () => DRAWN };

  strikes() {
    return this.plan.strikes("exchange", { device: "d", atMs: 0, request: this.asked.kind });
  }

  serve(request: ExchangeRequest): ExchangeAnswer {
    this.delivered++;
    return this.asked.answer(request);
  }

  artifactWith = async (_url: string, defect: string): Promise<Uint8Array> =>
    new TextEncoder().encode(`an artifact that is ${defect}`.repeat(400));
}

interface Run extends Experience, Pick<Stage, "recorded"> {
  readonly tookMs: number;
}

async function simulated(stage: Stage): Promise<Run> {
  const time = new VirtualTime();
  const network = new DeviceNetwork({
    random: stage.random,
    startMs: 0,
    origin: "http://server",
    certificate: () => ({ issuer: "authority", untilMs: Number.POSITIVE_INFINITY }),
    trusts: () => undefined,
    wallMs: () => 0,
    ask: async (request) => stage.serve(request),
    artifactWith: stage.artifactWith,
    killServer: () => undefined,
    strikes: () => stage.strikes(),
    signsOf: () => undefined,
    answered: async (_request, _kind, outcome) => {
      if (outcome !== undefined) stage.record(outcome);
    },
    failed: () => stage.record(),
    arrived: () => undefined,
  });
  const { peer, weather } = network;
  const chance = new SeededRandom("device");
  const device = new SimulatedMachine({ time, chance, disk: Disk.blank(), chunkBytes: 64 * 1024, peer, weather });
  let got: Omit<Experience, "delivered"> = {};
  let tookMs = 0;
  await time.until(
    device.boot(async (system) => {
      got = await experience(system.network, requestOf(stage.asked, "http://server"));
      tookMs = time.nowMs;
    }),
  );
  return { ...got, delivered: stage.delivered, recorded: stage.recorded, tookMs };
}

let root: string;
let hook: ConnectHook;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "upkeep-both-worlds-"));
  hook = new ConnectHook(openSystem().files, root);
  await hook.install();
  createRequire(import.meta.url)(hook.nodeOptions[1] ?? "");
});

afterAll(() => rmSync(root, { recursive: true }));

async function real(stage: Stage): Promise<Run> {
  const server = createServer((incoming: IncomingMessage, response) => {
    incoming.resume().on("end", () => {
      const headers = Object.fromEntries(
        Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
      );
      const answer = stage.serve({ url: incoming.url ?? "", headers });
      response.writeHead(
        answer.status,
        Object.fromEntries(Object.entries(answer.headers ?? {}).map(([name, value]) => [name, String(value)])),
      );
      response.end(answer.body as string | Uint8Array | undefined);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const system = { ...openSystem(), random: stage.random };
  const port: ProxyPort = {
    system,
    server: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    timers: system.timers,
    exchanges: new Exchanges(),
    connections: hook,
    turn: async () => undefined,
    strikes: () => stage.strikes(),
    certificate: () => ({}),
    artifactWith: stage.artifactWith,
    killServer: async () => undefined,
    answered: async (_kind, { outcome }) => stage.record(outcome),
    failed: () => stage.record(),
    sent: () => undefined,
    broken: () => undefined,
  };
  const proxy = await DeviceProxy.start(port);
  const beganMs = system.clock.monotonic();
  try {
    const got = await experience(linuxNetwork, requestOf(stage.asked, `http://127.0.0.1:${proxy.port}`));
    const tookMs = system.clock.monotonic() - beganMs;
    return { ...got, delivered: stage.delivered, recorded: stage.recorded, tookMs };
  } finally {
    await proxy.close();
    server.closeAllConnections();
    server.close();
  }
}

function requestOf({ request: { path, ...rest } }: Asked, origin: string): HttpRequest {
  return { ...rest, url: origin + path, idleTimeoutMs: IDLE_TIMEOUT_MS };
}

const CASES = (Object.keys(VALUES) as ExchangeFaultName[]).flatMap((name) =>
  VALUES[name].flatMap((value) =>
    Object.entries(ASKED)
      .filter(([asked, { kind }]) => definitionOf(name).requests?.includes(kind) ?? ASKED_OF_ALL.includes(asked))
      .map(([asked, what]) => ({
        title: `${name}: ${JSON.stringify(value)}, on ${asked}`,
        fault: { fault: name, value } as FaultOf<ExchangeFaultName>,
        asked: what,
      })),
  ),
);

type Case = (typeof CASES)[number];

async function isTheSame({ fault, asked }: Case): Promise<void> {
  const { tookMs: simulatedMs, ...expected } = await simulated(new Stage(fault, asked));
  const { tookMs: realMs, ...got } = await real(new Stage(fault, asked));
  expect(got).toEqual(expected);
  expect(got.recorded).toHaveLength(fault.fault === "duplicated" ? 2 : 1);
  // The simulated network takes some time of its own; a loaded machine takes more.
  expect(realMs).toBeGreaterThan(simulatedMs - 200);
  expect(realMs).toBeLessThan(simulatedMs + 20_000);
}

/** The hook makes the next connection of the whole process fail: these run one after the other. */
const OF_CONNECTIONS: readonly FaultName[] = ["link_down", "dns_failure", "tls_failure", "proxy_fails"];
const isOfConnections = ({ fault }: Case): boolean => OF_CONNECTIONS.includes(fault.fault);

// Many of these wait until a silence has been long enough.
test.concurrent.each(CASES.filter((one) => !isOfConnections(one)))("$title", isTheSame);

test.each(CASES.filter(isOfConnections))("$title", isTheSame);

test("every fault of an exchange is here", () => {
  const names = FAULT_NAMES.filter((name) => definitionOf(name).concern === "exchange");
  expect(Object.keys(VALUES).sort()).toEqual([...names].sort());
});
