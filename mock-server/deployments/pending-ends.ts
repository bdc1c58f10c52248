import { given } from "@upkeep/shared/given";
import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { Clock } from "@upkeep/shared/system";
import { BatchSize, ONE_TRANSACTION_MAX } from "../storage/batches.ts";
import { type DeploymentRecord, OPEN_STATUSES, type Records, type Storage } from "../storage/index.ts";
import { leave } from "./membership.ts";

/**
 * What becomes of device deployments when their deployment ends. It ends in one short transaction, however many
 * devices it has, and from then on no device gets it and none reports to it; that is written down for few devices
 * at once, and for many in batches after it.
 *
 * INVARIANTS
 * - Whoever does anything with a device's deployments settles them first: it finds what there will be.
 * - Counters are right all the time: those of an abort from its beginning, those of who is dismissed with each batch.
 * - A batch can be done again, and by another process: what a dead one has left is followed up by the next.
 */

/** End a deployment: whatever a device has not finished is `aborted`. */
export async function abortDeployment(records: Records, id: string, nowMs: number): Promise<void> {
  await records.deployments.setStatus(id, "finished", nowMs);
  const open = await records.counters.moveAll(id, OPEN_STATUSES, "aborted");
  if (open > ONE_TRANSACTION_MAX) return records.deployments.setPendingEnd(id, "abort");
  for (const status of OPEN_STATUSES) await records.pendingEnds.abortOpen(id, { status, after: "" }, nowMs);
}

/** Who was not admitted when the deployment was finished is no target any more, as if it had never been one. */
export async function dismissWaiting(
  records: Records,
  { id, target_count, admitted_count }: DeploymentRecord,
): Promise<void> {
  if (target_count - admitted_count > ONE_TRANSACTION_MAX) await records.deployments.setPendingEnd(id, "dismiss");
  else await dismiss(records, id, { after: "" });
}

async function dismiss(
  records: Records,
  id: string,
  range: { readonly after: string; readonly upTo?: string },
): Promise<void> {
  const { open, begun } = await records.pendingEnds.removeNotAdmitted(id, range);
  await records.counters.add(id, "pending", -open);
  await records.deployments.countTargets(id, { targets: -open, asked: -begun });
}

/** Write down for this device what follows from the end of its deployments. @returns Whether there was anything. */
export async function applyPendingEnd(records: Records, deviceId: string): Promise<boolean> {
  const ended = await records.pendingEnds.ended(deviceId);
  for (const { pending_end, ended_ms, ...row } of ended) {
    if (pending_end === "dismiss") {
      if (row.admitted === 0) await leave(records, row);
    } else {
      const started_ms = row.started_ms ?? ended_ms;
      await records.deviceDeployments.update(row, { status: "aborted", started_ms, finished_ms: ended_ms });
    }
  }
  return ended.length > 0;
}

/** Writes down what follows from the end of deployments to many devices. */
export class PendingEnds {
  readonly #storage: Storage;
  readonly #clock: Clock;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** All that is left to do. */
  async applyAll(): Promise<void> {
    const ended = await this.#storage.read(({ deployments }) => deployments.withPendingEnd());
    for (const { id } of ended) await this.apply(id);
  }

  /** What is left to do of a deployment; of most there is nothing. */
  async apply(id: string): Promise<void> {
    const deployment = await this.#storage.read(({ deployments }) => deployments.find(id));
    if (deployment === undefined || deployment.pending_end === null) return;
    const size = new BatchSize(this.#clock);
    for (const status of deployment.pending_end === "abort" ? OPEN_STATUSES : (["pending"] as const)) {
      for (let after: string | undefined = ""; after !== undefined; ) {
        const begin: string = after;
        after = await this.#storage.transaction((records) =>
          size.timed(() => applyBatch(records, deployment, status, begin, size.next)),
        );
      }
    }
    await this.#storage.transaction(({ deployments }) => deployments.setPendingEnd(id, null));
  }
}

/** @returns After whom the next batch begins; `undefined`: there is none. */
async function applyBatch(
  records: Records,
  { id, pending_end, finished_ms, created_ms }: DeploymentRecord,
  status: DeviceDeploymentStatus,
  after: string,
  count: number,
): Promise<string | undefined> {
  const upTo = await records.pendingEnds.nthOfStatus(id, { status, after }, count);
  const range = { after, ...given({ upTo }) };
  if (pending_end === "dismiss") await dismiss(records, id, range);
  else await records.pendingEnds.abortOpen(id, { status, ...range }, finished_ms ?? created_ms);
  return upTo;
}
