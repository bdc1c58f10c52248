import { DEVICE_DEPLOYMENT_STATUSES, type DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import { invalid, notFound } from "../errors.ts";
import type { DeploymentRecord, StateRecord, Storage } from "../storage/index.ts";
import { type Phase, presentDeployments } from "./deployment-view.ts";

/** The times at which a deployment's devices are counted; all are optional. */
export interface ProgressRange {
  /** Default: the creation of the deployment. */
  readonly fromMs?: number;
  /** Default: its end, or now. */
  readonly toMs?: number;
  /** Default: a sixtieth of the range, at least a second. */
  readonly stepMs?: number;
}

/** The number of devices by status; statuses without devices are left out. */
export type StatusCounts = Readonly<Partial<Record<DeviceDeploymentStatus, number>>>;

/** The devices of a deployment by status, over time. */
export interface Progress {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
  /** The last one is at or after `toMs`. */
  readonly points: readonly { readonly atMs: number; readonly counts: StatusCounts }[];
  readonly phases: readonly Phase[];
  readonly createdMs: number;
}

const DEFAULT_POINTS = 60;
const POINTS_MAX = 1000;
const SECOND_MS = 1000;
/** Rows per read: other requests run between two reads. */
const BATCH = 2000;

/** @throws DomainError (not-found); (invalid) if the range is empty, or has too many points. */
export async function progressOf(storage: Storage, id: string, range: ProgressRange, nowMs: number): Promise<Progress> {
  const { deployment, phases } = await storage.read(async (records) => {
    const found = await records.deployments.find(id);
    if (found === undefined) throw notFound();
    const [shown] = await presentDeployments(records, [found], nowMs);
    return { deployment: found, phases: shown?.phases ?? [] };
  });
  const counts = new CountsOverTime(timesOf(deployment, range, nowMs));
  if (deployment.dynamic === 0) counts.add("pending", deployment.target_count, deployment.created_ms);
  else await addJoins(storage, id, counts);
  await addChanges(storage, id, counts);
  const { fromMs, toMs, stepMs } = counts.times;
  return { fromMs, toMs, stepMs, points: counts.points(), phases, createdMs: deployment.created_ms };
}

type Times = Required<ProgressRange>;

function timesOf({ created_ms, finished_ms }: DeploymentRecord, range: ProgressRange, nowMs: number): Times {
  const fromMs = range.fromMs ?? created_ms;
  // A deployment that was created in this second has a range too.
  const toMs = range.toMs ?? Math.max(finished_ms ?? nowMs, fromMs + SECOND_MS);
  if (toMs <= fromMs) throw invalid(`to: must be after from, not ${(fromMs - toMs) / 1000} s before it`);
  const stepMs = range.stepMs ?? Math.ceil((toMs - fromMs) / DEFAULT_POINTS / SECOND_MS) * SECOND_MS;
  const points = Math.ceil((toMs - fromMs) / stepMs) + 1;
  if (points > POINTS_MAX) {
    const leastS = Math.ceil((toMs - fromMs) / (POINTS_MAX - 1) / SECOND_MS);
    throw invalid(`step: must be at least ${leastS} s, for at most ${POINTS_MAX} points, not ${stepMs / 1000} s`);
  }
  return { fromMs, toMs, stepMs };
}

/** Adds the devices of a deployment to a filter as they joined it. */
async function addJoins(storage: Storage, id: string, counts: CountsOverTime): Promise<void> {
  let after = "";
  for (let last = false; !last; ) {
    const rows = await storage.read(({ deviceDeploymentLists }) => deviceDeploymentLists.begunAfter(id, after, BATCH));
    for (const { begun_ms } of rows) counts.add("pending", 1, begun_ms);
    after = rows.at(-1)?.device_id ?? after;
    last = rows.length < BATCH;
  }
}

async function addChanges(storage: Storage, id: string, counts: CountsOverTime): Promise<void> {
  let before: StateRecord | undefined;
  let latestMs = 0;
  for (let last = false; !last; ) {
    const rows: readonly StateRecord[] = await storage.read(({ states }) => states.after(id, before, BATCH));
    for (const row of rows) {
      // The wall clock may have been set back between two changes of a device.
      latestMs = row.device_id === before?.device_id ? Math.max(latestMs, row.at_ms) : row.at_ms;
      counts.add(row.from_status, -1, latestMs);
      counts.add(row.status, 1, latestMs);
      before = row;
    }
    last = rows.length < BATCH;
  }
}

/** Sums changes of counts up to each of several times. */
class CountsOverTime {
  readonly times: Times;
  readonly #changes: Map<DeviceDeploymentStatus, number>[];

  constructor(times: Times) {
    this.times = times;
    const points = Math.ceil((times.toMs - times.fromMs) / times.stepMs) + 1;
    this.#changes = Array.from({ length: points }, () => new Map());
  }

  add(status: DeviceDeploymentStatus, count: number, atMs: number): void {
    const { fromMs, stepMs } = this.times;
    const changes = this.#changes[Math.max(0, Math.ceil((atMs - fromMs) / stepMs))];
    changes?.set(status, (changes.get(status) ?? 0) + count);
  }

  points(): Progress["points"] {
    const { fromMs, stepMs } = this.times;
    const sums = new Map<DeviceDeploymentStatus, number>();
    return this.#changes.map((changes, index) => {
      for (const [status, count] of changes) sums.set(status, (sums.get(status) ?? 0) + count);
      const counts = DEVICE_DEPLOYMENT_STATUSES.flatMap((status) => {
        const count = sums.get(status) ?? 0;
        return count > 0 ? [[status, count] as const] : [];
      });
      return { atMs: fromMs + index * stepMs, counts: Object.fromEntries(counts) };
    });
  }
}
