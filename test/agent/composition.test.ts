import { generateKeyPairSync } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createLogger, type Logger } from "@upkeep/shared/logging";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { loadEverything } from "../../agent/compose/lazy.ts";
import type { PartName } from "../../agent/compose/parts.ts";
import { HttpClient } from "../../agent/server/http.ts";
import { proxiesFrom } from "../../agent/server/proxies.ts";
import { JournalRecord, newRecord } from "../../agent/update/journal.ts";
import { VERSION } from "../../agent/version.ts";
import { FleetFigures } from "../../mock-server/scenarios/fleet/figures.ts";
import type { FleetPlan } from "../../mock-server/scenarios/fleet/plan.ts";
import { VirtualTimers } from "../../mock-server/scenarios/fleet/simulated/timers.ts";
import { fleetConfig, keyOf, VirtualDevice } from "../../mock-server/scenarios/fleet/virtual-device.ts";
import { Disk, type MainProgram, SimulatedMachine, VirtualTime } from "../../mock-server/scenarios/simulation/index.ts";
import { type AgentWraps, agentProgram } from "../../mock-server/scenarios/world/agent.ts";
import { SeededRandom } from "../../mock-server/system/seeded-random.ts";
import { deviceProgram } from "../campaign/device.ts";
import { Person } from "../campaign/person.ts";
import { DATASTORE } from "../campaign/world.ts";
import { createAgentRoot, startAgent } from "../support/agent.ts";
import { until } from "../support/waiting.ts";
import { temporaryDirectory } from "./system/directory.ts";

const SERVER = "http://127.0.0.1:9";
const IDENTITY = { mac: "00:00:00:00:00:01" };

type PartList = Readonly<Partial<Record<PartName, string>>>;

/** All parts, so that a list which lacks one is found. A part that is added to the type does not compile without its row. */
const COMPLETE: Readonly<Record<PartName, unknown>> = {
  lock: "function",
  store: "DeviceStore",
  deviceType: "function",
  version: VERSION,
  bootstrapArtifact: "function",
  statusBoard: "StatusBoard",
  key: "Object",
  identity: "function",
  http: "HttpClient",
  downloadSettings: "Object",
  servers: "Servers",
  client: "DeviceClient",
  server: "ObservedServer",
  engine: "LazyEngine",
  windows: "MaintenanceWindows",
  provides: "function",
  inventory: "function",
  schedules: "Object",
  firstPollDelayMs: "number",
  notifier: "Notifier",
  stateScripts: "function",
  updateSettings: "Object",
  openArtifact: "function",
};

/** An update under way, so that the engine, which is loaded on first use, is composed as well. */
const STORE = JSON.stringify({
  version: 1,
  provides: { artifact_name: "old" },
  update: z.encode(JournalRecord, newRecord({ mode: "deployment", id: "d1", standing: "open" }, 0)),
});

const { privateKey } = generateKeyPairSync("ed25519");
const KEY = privateKey.export({ type: "pkcs8", format: "pem" }).toString();

/** The parts that a log at the level `debug` names. */
function partsIn(log: string): PartList {
  const lines = log.split("\n").filter((line) => line.includes('"parts":'));
  const lists = lines.map((line) => (JSON.parse(line) as { readonly parts: PartList }).parts);
  // The bundler puts a `_` before the name of a class that refers to itself.
  return Object.fromEntries(lists.flatMap(Object.entries).map(([name, part]) => [name, part.replace(/^_/, "")]));
}

function recordingLog(): { readonly log: Logger; readonly text: () => string } {
  const lines: string[] = [];
  const log = createLogger({ level: "debug", format: "json", write: (line) => lines.push(line), now: () => 0 });
  return { log, text: () => lines.join("") };
}

/** The names of those parts that differ. */
function differences(one: PartList, other: PartList): string[] {
  const names = Object.keys({ ...one, ...other }) as PartName[];
  return names.filter((name) => one[name] !== other[name]).sort();
}

async function partsOfProcess(): Promise<PartList> {
  const root = join(temporaryDirectory(), "root");
  createAgentRoot(root, { serverUrl: SERVER, deviceType: "board", identity: IDENTITY });
  writeFileSync(join(root, "var/lib/mender/upkeep-store.json"), STORE);
  writeFileSync(join(root, "var/lib/mender/mender-agent.pem"), KEY, { mode: 0o600 });
  const program = startAgent(root);
  try {
    return await until(
      "the engine is composed",
      () => {
        const parts = partsIn(program.output());
        return parts.openArtifact === undefined ? undefined : parts;
      },
      { explain: program.output },
    );
  } finally {
    await program.stop("SIGKILL");
  }
}

function deviceDisk(datastore: string): Disk {
  const disk = Disk.blank();
  for (const path of ["/run", "/proc"]) disk.addMount({ path, volatile: true });
  const put = (path: string, text: string, mode = 0o644): void => {
    disk.makeDirectory(dirname(path), 0o755);
    disk.write(disk.openForWriting(path, mode, true), 0, new TextEncoder().encode(text), path);
  };
  put("/etc/mender/mender.conf", JSON.stringify({ ServerURL: SERVER }));
  put(`${datastore}/device_type`, "device_type=board\n");
  put(`${datastore}/upkeep-store.json`, STORE);
  put(`${datastore}/mender-agent.pem`, KEY, 0o600);
  disk.syncAll();
  return disk;
}

async function partsOnMachine(program: (log: Logger) => MainProgram, datastore = "/var/lib/mender"): Promise<PartList> {
  await loadEverything();
  const { log, text } = recordingLog();
  const time = new VirtualTime();
  const machine = new SimulatedMachine({ time, chance: new SeededRandom("device"), disk: deviceDisk(datastore) });
  void machine.boot(program(log));
  await time.pass(1000);
  machine.powerOff();
  return partsIn(text());
}

const nothing = (): void => undefined;

const partsOfSimulation = (wraps: AgentWraps = {}): Promise<PartList> =>
  partsOnMachine((log) => agentProgram({ log, onProgress: nothing, onRest: nothing, wraps, byTimer: false }));

const partsOfCampaign = (): Promise<PartList> =>
  partsOnMachine(
    (logger) =>
      deviceProgram({ logger, stateVisitsMax: 28, person: new Person(undefined), artifact: new Uint8Array(0) }),
    DATASTORE,
  );

async function partsOfVirtualDevice(): Promise<PartList> {
  const { log, text } = recordingLog();
  const time = new VirtualTime();
  const none = { least: 0, most: 0 };
  const hour = { least: 3600_000, most: 3600_000 };
  const plan: FleetPlan = {
    devices: 1,
    server: SERVER,
    tls: {},
    tenantToken: "",
    seed: "fleet",
    types: new Map([["board", 1]]),
    artifactName: "old",
    pollMs: hour,
    inventoryMs: hour,
    jitter: 0,
    retryMs: 300_000,
    startMs: 0,
    speed: none,
    installMs: none,
    rebootMs: undefined,
    failures: 0,
  };
  const door = {
    clock: { now: () => time.nowMs, monotonic: () => time.nowMs },
    timers: new VirtualTimers(time),
    network: { request: () => new Promise<never>(nothing) },
  };
  const http = new HttpClient(door, {
    tls: {},
    proxies: proxiesFrom({}),
    redirectHosts: [],
    servers: [],
    connectionIdleMs: 1000,
    answerMsMax: 1000,
    version: VERSION,
  });
  const shared = { plan, door, config: fleetConfig(plan), http, keyOf, figures: new FleetFigures(), log, common: {} };
  void new VirtualDevice(shared, 1).run();
  await time.pass(1000);
  return partsIn(text());
}

describe("the composition of the agent", () => {
  let ofProcess: PartList;

  beforeAll(async () => {
    ofProcess = await partsOfProcess();
  });

  it("is complete in a process, and nothing is replaced", () => {
    expect(ofProcess).toEqual(COMPLETE);
    expect(Object.values(ofProcess).filter((part) => part.includes("replaced"))).toEqual([]);
  });

  it("is the same for a simulated device: only the door is exchanged", async () => {
    expect(await partsOfSimulation()).toEqual(ofProcess);
  });

  it.each([
    ["store", { store: (store) => store }],
    ["client", { client: (client) => client }],
    ["server", { server: (server) => server }],
    ["openArtifact", { openArtifact: (open) => open }],
  ] as const satisfies readonly (readonly [PartName, AgentWraps])[])(
    "shows a deviation that is planted in the simulation: %s",
    async (name, wraps) => {
      expect(differences(await partsOfSimulation(wraps), ofProcess)).toEqual([name]);
    },
  );

  it("differs in the campaign only where the campaign says so", async () => {
    expect(differences(await partsOfCampaign(), ofProcess)).toEqual(["downloadSettings", "key", "updateSettings"]);
  });

  it("differs for a virtual device only where the fleet says so", async () => {
    expect(differences(await partsOfVirtualDevice(), ofProcess)).toEqual([
      "deviceType",
      "downloadSettings",
      "engine",
      "firstPollDelayMs",
      "http",
      "identity",
      "inventory",
      "key",
      "lock",
      "notifier",
      // The light engine opens no artifact.
      "openArtifact",
      "schedules",
      "stateScripts",
      "statusBoard",
      "store",
      "updateSettings",
      "windows",
    ]);
  });

  it("is the only place that makes these parts", () => {
    const made = /\bnew (Daemon|DeviceClient|LazyEngine|Login|MaintenanceWindows|Notifier|StatusBoard|UpdateEngine)\(/;
    const root = join(import.meta.dirname, "../..");
    const makers = ["agent", "mock-server", "test/campaign"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((path) => path.endsWith(".ts") && !/(^|\/)(node_modules|dist)\//.test(path))
        .map((path) => join(folder, path))
        .filter((path) => made.test(readFileSync(join(root, path), "utf8"))),
    );
    expect(makers.sort()).toEqual(["agent/compose.ts", "agent/compose/client.ts", "agent/compose/compose-engine.ts"]);
  });
});
