import { given } from "@upkeep/shared/given";
import { DEVICE_DEPLOYMENT_STATUSES, type DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import { SystemError } from "@upkeep/shared/system";
import { type Domain, openDomain } from "../../../domain.ts";
import { SeededRandom } from "../../../system/seeded-random.ts";
import { VirtualTime } from "../../simulation/virtual-time.ts";
import type { FleetSnapshot } from "../figures.ts";
import { Fleet } from "../fleet.ts";
import type { FleetPlan } from "../plan.ts";
import { BlankBlobs } from "./blank-blobs.ts";
import { DeviceApi, SIMULATED_SERVER } from "./device-api.ts";
import { ExchangeDigest } from "./digest.ts";
import { DirectHttp } from "./direct-http.ts";
import { HASHES, HashKey } from "./hash-key.ts";
import { VirtualTimers } from "./timers.ts";

const START_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;
const SAMPLES = 600;
const RELEASE = "release-2";

export interface SimulatedPhase {
  /** Percent of the devices; the last phase gets the rest. */
  readonly percent: number | undefined;
  /** Milliseconds after the creation of the deployment. */
  readonly afterMs: number;
}

export interface SimulationPlan {
  readonly fleet: Omit<FleetPlan, "server" | "tls" | "tenantToken">;
  readonly days: number;
  /** Creation of the deployment to all devices, in milliseconds after the start. */
  readonly deployAtMs: number;
  /** At least one. */
  readonly phases: readonly SimulatedPhase[];
  readonly retries: number;
  readonly artifactBytes: number;
}

/** Number of devices by status of the deployment, at one moment. */
export interface Sample {
  /** Milliseconds since the start. */
  readonly atMs: number;
  readonly statuses: Readonly<Record<DeviceDeploymentStatus, number>>;
}

export interface SimulationResult {
  readonly samples: readonly Sample[];
  readonly snapshot: FleetSnapshot;
  /** Digest of all exchanges with their times: equal for equal runs. */
  readonly digest: string;
}

const NO_FILES = new Proxy({} as never, {
  get: () => () => Promise.reject(new SystemError("ENOSYS", "a simulated server has no files")),
});

/**
 * Simulates a fleet, the real server with records in memory, and a phased deployment to all devices, in virtual time.
 * @param onProgress Called from time to time with the simulated milliseconds.
 */
export async function simulateFleet(
  plan: SimulationPlan,
  onProgress: (passedMs: number, snapshot: FleetSnapshot) => void = () => undefined,
): Promise<SimulationResult> {
  const time = new VirtualTime();
  const clock = { now: () => START_MS + time.nowMs, monotonic: () => time.nowMs };
  const random = new SeededRandom(`${plan.fleet.seed}/server`);
  const domain = await openDomain({
    system: { clock, random, files: NO_FILES },
    storage: { memory: true, events: false },
    options: { autoAccept: true, deviceTokenLifeMs: (plan.days + 1) * DAY_MS, cryptography: HASHES },
  });
  try {
    const digest = new ExchangeDigest(clock);
    const api = new DeviceApi(domain, new BlankBlobs(plan.artifactBytes), time, clock.now);
    const fleet = new Fleet(
      { clock, timers: new VirtualTimers(time), network: digest.over(api) },
      { ...plan.fleet, server: SIMULATED_SERVER, tls: {}, tenantToken: "" },
      { http: (door) => new DirectHttp(door), keyOf: (seed, number) => new HashKey(`${seed}/${number}`) },
    );
    await insertRelease(domain, plan, random.uuid(), clock.now());
    const course = schedule(plan, time, domain, (at) => onProgress(at, fleet.snapshot()));
    fleet.start();
    await time.pass(plan.days * DAY_MS);
    await course.end();
    const snapshot = fleet.snapshot();
    await time.until(fleet.stop());
    return { samples: course.samples, snapshot, digest: digest.hex };
  } finally {
    await domain.close();
  }
}

async function insertRelease(
  domain: Domain,
  { fleet, artifactBytes }: SimulationPlan,
  id: string,
  nowMs: number,
): Promise<void> {
  await domain.artifacts.insert({
    id,
    name: RELEASE,
    description: "",
    formatVersion: 3,
    signed: false,
    sizeBytes: artifactBytes,
    sha256: "0".repeat(64),
    deviceTypes: [...fleet.types.keys()],
    depends: {},
    provides: { artifact_name: RELEASE },
    clearsProvides: [],
    payloads: [],
    modifiedMs: nowMs,
  });
}

/** The server's side: creates the deployment, and samples it at equal intervals and at the end. */
function schedule(
  plan: SimulationPlan,
  time: VirtualTime,
  domain: Domain,
  passed: (atMs: number) => void,
): { readonly samples: Sample[]; end(): Promise<void> } {
  const samples: Sample[] = [];
  let deployment: string | undefined;
  let failure: { readonly error: unknown } | undefined;
  const held = (work: () => Promise<void>) => (): void => {
    time.hold(work()).catch((error: unknown) => {
      failure ??= { error };
    });
  };
  time.after(
    plan.deployAtMs,
    held(async () => {
      deployment = await domain.deployments.create({
        name: "simulated",
        artifactName: RELEASE,
        allDevices: true,
        retries: plan.retries,
        phases: plan.phases.map(({ percent, afterMs }) => ({
          ...given({ batchSize: percent }),
          ...(afterMs === 0 ? {} : { startMs: START_MS + plan.deployAtMs + afterMs }),
        })),
      });
    }),
  );
  const look = async (): Promise<void> => {
    const statuses =
      deployment === undefined
        ? Object.fromEntries(DEVICE_DEPLOYMENT_STATUSES.map((status) => [status, 0]))
        : await domain.deployments.statistics(deployment);
    samples.push({ atMs: time.nowMs, statuses: statuses as Sample["statuses"] });
    passed(time.nowMs);
  };
  const everyMs = (plan.days * DAY_MS) / SAMPLES;
  for (let number = 0; number < SAMPLES; number++) time.after(number * everyMs, held(look));
  return {
    samples,
    end: async () => {
      if (failure !== undefined) throw failure.error;
      await look();
    },
  };
}
