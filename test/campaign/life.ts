import { given } from "@upkeep/shared/given";
import { type Logger, noopLogger } from "@upkeep/shared/logging";
import { loadEverything } from "../../agent/compose/lazy.ts";
import { DEFAULT_UPDATE_SETTINGS } from "../../agent/update/index.ts";
import type { Store } from "../../agent/update/store.ts";
import {
  BOOT_LOADER_TOOLS,
  type CallObserver,
  type Disk,
  decidedFingerprint,
  NothingWillHappen,
  type Programs,
  SimulatedMachine,
  type Trace,
  VirtualTime,
  type Weather,
} from "../../mock-server/scenarios/simulation/index.ts";
import { SeededRandom } from "../../mock-server/system/seeded-random.ts";
import { type DeviceOptions, deviceProgram } from "./device.ts";
import { bytesToFetchMax, updateIn, violationsOf } from "./invariants.ts";
import { checkedModule, type ModuleRecord } from "./modules.ts";
import type { Person } from "./person.ts";
import type { ServerModel } from "./server-model.ts";
import { bootLoaderOf, type World } from "./world.ts";

/** A device that has not come to rest by then never will. */
const PATIENCE_MS = 60 * 24 * 3600_000;
const BOOTS_MAX = 400;
const IDLE_POLLS_MAX = 20;
/** Each restart is a visit, and a random run may have hundreds of power cuts without being a loop. */
const VISITS_MAX = 800;
const RESTART_MS = 5000;

/** Boots after which, as is known, the device comes to rest and all is well. */
export interface KnownBoots {
  readonly identities: Set<string>;
  /** Whether a life ends where one of them begins: equal boots, equal lives. An observer of calls needs all of them. */
  readonly skip: boolean;
}

/** A life under way: what an observer may look at, and cut. */
export interface Life {
  readonly moduleCalls: readonly string[];
  readonly machine: SimulatedMachine;
  readonly server: ServerModel;
  readonly person: Person;
  readonly time: VirtualTime;
}

export interface LifeOptions {
  readonly observer?: (life: Life) => CallObserver;
  readonly weather?: (life: Life) => Weather;
  readonly trace?: Trace;
  readonly logger?: Logger;
  readonly wrapStore?: (store: Store, disk: Disk) => Store;
  readonly wrapSystem?: DeviceOptions["wrapSystem"];
  readonly seed?: string;
  readonly boots?: KnownBoots;
  /** Calls on the disk fail: a loss that they make unavoidable is no violation. */
  readonly diskFails?: boolean;
}

export interface LifeEnd {
  /** What was wrong; none if all is well. */
  readonly violations: readonly string[];
  readonly boots: number;
  readonly moduleCalls: readonly string[];
}

function programsOf(world: World, watch: ModuleRecord): Programs {
  return {
    ...BOOT_LOADER_TOOLS,
    "/bin/model-module": ({ args: [, ...args], ...context }) =>
      checkedModule(world.path.module, world.prepared.payloads, watch)({ ...context, args }),
    "/bin/script": async ({ args }) => Number(args[0]),
    "/bin/identity": async ({ stdout }) => {
      stdout("mac=02:00:00:00:00:01\n");
      return 0;
    },
  };
}

/** The server does not answer from the first report of `rebooting` (or the second `installing`) on, for as long as the path says. */
function outage(world: World, { server, time }: Life): Weather {
  const { unreachableMs } = world.path;
  let sinceMs: number | undefined;
  return () => {
    const { reports, final } = server.deployment(0);
    if (unreachableMs === undefined || reports.length < 2 || final !== undefined) return undefined;
    sinceMs ??= time.nowMs;
    return time.nowMs < sinceMs + unreachableMs ? { connectError: "ECONNREFUSED" } : undefined;
  };
}

/**
 * Everything on which the rest of a life depends when the machine is about to boot; `undefined` if that cannot be
 * told: something is undecided on the disk, or the path counts time since an earlier boot.
 */
function bootIdentity(
  world: World,
  { machine, server, person, moduleCalls }: Life,
  chance: SeededRandom,
): string | undefined {
  if (machine.boots === 0 || world.path.unreachableMs !== undefined) return undefined;
  const disk = decidedFingerprint(machine.disk);
  return (
    disk && `${disk} ${server.identity} ${person.identity} ${machine.wallMs} ${chance.state} ${moduleCalls.join()}`
  );
}

/** Boot a device again and again until it has nothing left to do, and hold the result against the invariants. */
export async function live(world: World, options: LifeOptions = {}): Promise<LifeEnd> {
  await loadEverything();
  const time = new VirtualTime();
  const server = world.server.clone();
  const person = world.person.clone();
  const watch: ModuleRecord = {
    last: undefined,
    runs: (pid) => machine.runs(pid),
    violations: [],
    calls: [...world.moduleCalls],
  };
  const observer: { -readonly [K in keyof CallObserver]: CallObserver[K] } = {};
  let weather: Weather = () => undefined;
  let atRest = false;
  const chance = new SeededRandom(options.seed ?? "device");
  const machine: SimulatedMachine = new SimulatedMachine({
    time,
    chance,
    disk: world.disk,
    wallClockMs: world.wallMs,
    chunkBytes: 2048,
    bootLoader: bootLoaderOf(world.path),
    programs: programsOf(world, watch),
    observer,
    weather: (request, number) => outageWeather(request, number) ?? weather(request, number),
    peer: (request) => {
      const answer = server.answer(request);
      // A device that resumes a download asks as one that polls; with a disk that fails an update may end again and
      // again before that can be written down.
      if (server.idlePolls > 0 && (!updateIn(machine.disk) || server.idlePolls > IDLE_POLLS_MAX)) {
        atRest = true;
        machine.powerOff();
      }
      return answer;
    },
    ...given({ trace: options.trace }),
  });
  const life: Life = { machine, server, person, time, moduleCalls: watch.calls };
  const outageWeather = outage(world, life);
  if (options.observer) Object.assign(observer, options.observer(life));
  if (options.weather) weather = options.weather(life);
  let outOfTime = false;
  time.after(PATIENCE_MS, () => {
    outOfTime = true;
    machine.cutPower();
  });

  const { wrapStore } = options;
  const program = deviceProgram({
    person,
    artifact: world.prepared.artifacts[0] ?? new Uint8Array(0),
    logger: options.logger ?? noopLogger,
    stateVisitsMax: world.path.loops ? DEFAULT_UPDATE_SETTINGS.stateVisitsMax : VISITS_MAX,
    ...(wrapStore === undefined ? {} : { wrapStore: (store: Store) => wrapStore(store, machine.disk) }),
    ...given({ wrapSystem: options.wrapSystem }),
  });
  const violations: string[] = [];
  const boots: string[] = [];
  let known = false;
  while (!atRest && violations.length === 0) {
    const boot = options.boots && bootIdentity(world, life, chance);
    known = options.boots?.skip === true && boot !== undefined && options.boots.identities.has(boot);
    if (known) break;
    if (boot !== undefined) boots.push(boot);
    watch.last = undefined;
    const toFetchMax = options.weather ? undefined : bytesToFetchMax(world.prepared, machine.disk);
    server.servedBytes = 0;
    let end: Awaited<ReturnType<SimulatedMachine["boot"]>>;
    try {
      end = await time.until(machine.boot(program));
    } catch (error) {
      if (!(error instanceof NothingWillHappen)) throw error;
      violations.push(`the device hangs: ${error.message}`);
      break;
    }
    if (toFetchMax !== undefined && server.servedBytes > toFetchMax)
      violations.push(`${server.servedBytes} bytes were fetched, where ${toFetchMax} were enough`);
    if (atRest) break;
    if (end.kind === "brick") violations.push("the device boots nothing that is whole");
    else if (outOfTime) violations.push(`the device did not come to rest within ${PATIENCE_MS} ms`);
    else if (machine.boots >= BOOTS_MAX) violations.push(`the device was booted ${machine.boots} times and has no end`);
    else if (end.kind === "returned" || end.kind === "threw" || end.kind === "killed") {
      if (end.kind === "threw" && !(options.observer !== undefined))
        violations.push(`the daemon threw ${String(end.error)}`);
      // The service manager starts it again.
      machine.powerOff();
      await time.pass(RESTART_MS);
    }
  }
  violations.push(...watch.violations, ...server.violations);
  const installs = watch.calls.filter((call) => call === "ArtifactInstall").length;
  if (world.path.standalone === undefined && installs > server.offered.length)
    violations.push("the same deployment was installed twice");
  if (atRest) violations.push(...violationsOf(world.path, machine.disk, { server, person }, options.diskFails));
  if (violations.length === 0) for (const boot of boots) options.boots?.identities.add(boot);
  return { violations, boots: machine.boots, moduleCalls: watch.calls };
}
