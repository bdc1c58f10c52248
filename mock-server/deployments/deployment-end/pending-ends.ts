import { given } from "@upkeep/shared/given";
import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { Clock } from "@upkeep/shared/system";
import { BatchSize, ONE_TRANSACTION_MAX } from "../../storage/batches.ts";
import { type DeploymentRecord, OPEN_STATUSES, type Records, type Storage } from "../../storage/index.ts";
import { stateAfter } from "../device-deployment/state-after.ts";
import { removeTarget } from "../selection/membership.ts";

/**
 * The end of a deployment: one short transaction, after which no device gets the deployment or reports to it. With few
 * devices, the same transaction ends the device deployments too. With many, the deployment gets a pending end, which
 * is applied in batches afterwards.
 *
 * INVARIANTS
 * - Code that reads or changes the deployments of a device calls {@link applyPendingEnd} first, if there may be any.
 * - Counters are always right: an abort changes them in its first transaction, a dismissal with each batch.
 * - A batch is idempotent: another process can complete the ends of one that died.
 */

/** Ends a deployment: unfinished device deployments become `aborted`. */
export async function abortDeployment(records: Records, id: string, nowMs: number): Promise<void> {
  await records.deployments.setStatus(id, "finished", nowMs);
  const open = await records.counters.moveAll(id, OPEN_STATUSES, "aborted");
  if (open > ONE_TRANSACTION_MAX) return records.deployments.setPendingEnd(id, "abort");
  for (const status of OPEN_STATUSES) await records.pendingEnds.abortOpen(id, { status, after: "" }, nowMs);
}

/** Removes the targets that were not admitted when the deployment finished. */
export async function dismissUnadmitted(
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
  await records.counters.add(id, [
    ["pending", -open],
    ["target_count", -open],
    ["device_count", -begun],
  ]);
}

/** Applies the pending ends of deployments to one device. */
export async function applyPendingEnd(records: Records, deviceId: string): Promise<void> {
  const ended = await records.pendingEnds.ended(deviceId);
  for (const { pending_end, ended_ms, ...row } of ended) {
    if (pending_end === "dismiss") {
      if (row.admitted === 0) await removeTarget(records, row);
    } else {
      const started_ms = row.started_ms ?? ended_ms;
      const state_count = row.state_count + 1;
      await records.deviceDeployments.update(row, {
        status: "aborted",
        started_ms,
        finished_ms: ended_ms,
        state_count,
      });
      await records.states.insert(stateAfter(row, { status: "aborted", atMs: ended_ms, substate: null }));
    }
  }
}

/** Applies the pending ends of deployments to all their devices, in batches. */
export class PendingEnds {
  readonly #storage: Storage;
  readonly #clock: Clock;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** Applies the pending ends of all deployments. */
  async applyAll(): Promise<void> {
    const ended = await this.#storage.read(({ deployments }) => deployments.withPendingEnd());
    for (const { id } of ended) await this.apply(id);
  }

  /** Applies the pending end of one deployment, if it has one. */
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

/** @returns The device after which the next batch begins; `undefined` at the end. */
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
