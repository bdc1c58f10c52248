import type { DeploymentRecord, Records } from "../../storage/index.ts";
import { changeStatus } from "../device-deployment/changes.ts";
import { activePhase } from "../phases.ts";

/** Devices that fail in one transaction: a larger one would delay all other writes. */
export const ABSENT_BATCH = 100;

/** Searches for absent devices within one `silent_after` of their deployment. */
const SEARCHES_PER_LIMIT = 10;

/** The result of one step of a search for absent devices. */
export interface AbsenceStep {
  readonly failed: number;
  /** The next step begins after this device; `undefined` at the end. */
  readonly after: string | undefined;
}

/**
 * Schedules the search for absent devices: targets that never poll.
 *
 * INVARIANTS
 * - A device is absent only if it could have had its instructions for the whole of `silent_after`: the deployment was
 *   not paused, its last phase (which has a slot for each remaining device) was active, the device had no older
 *   deployment to finish, and a server was up.
 * - A device that only matches the filter of a deployment is not a target, so it is never absent.
 */
export class AbsenceSchedule {
  /** By deployment, on the monotonic clock. */
  readonly #nextSearchMs = new Map<string, number>();

  /** True if a search can find something and the last one was long enough ago. Records its start. */
  isDue(deployment: DeploymentRecord, { nowMs, sinceMs, monotonicMs }: AbsenceTimes): boolean {
    const { id, silent_after_ms, open_to_all_ms, dynamic } = deployment;
    if (silent_after_ms === null || open_to_all_ms === null || dynamic === 1) return false;
    if (nowMs - silent_after_ms < Math.max(open_to_all_ms, sinceMs)) return false;
    if (monotonicMs < (this.#nextSearchMs.get(id) ?? Number.NEGATIVE_INFINITY)) return false;
    this.#nextSearchMs.set(id, monotonicMs + silent_after_ms / SEARCHES_PER_LIMIT);
    return true;
  }

  /** Forgets deployments that no longer limit silence. */
  retain(ids: ReadonlySet<string>): void {
    for (const id of this.#nextSearchMs.keys()) if (!ids.has(id)) this.#nextSearchMs.delete(id);
  }
}

export interface AbsenceTimes {
  readonly nowMs: number;
  /** Since when servers have been up. */
  readonly sinceMs: number;
  readonly monotonicMs: number;
}

/** Since when the deployment is open to every target; `null` while some must wait for a phase or a resume. */
export async function openToAllSince(
  records: Records,
  deployment: DeploymentRecord,
  nowMs: number,
): Promise<number | null> {
  const phases = await records.phases.of(deployment.id);
  const isOpen =
    deployment.paused_ms === null && (phases.length === 0 || activePhase(phases, nowMs) === phases[phases.length - 1]);
  if (!isOpen) return null;
  // The wall clock may have been set back since.
  return Math.min(deployment.open_to_all_ms ?? nowMs, nowMs);
}

/** Fails the next absent devices by id. Such a failure is not retried. */
export async function failAbsent(
  records: Records,
  deploymentId: string,
  after: string,
  { nowMs, sinceMs }: AbsenceTimes,
): Promise<AbsenceStep> {
  const deployment = await records.deployments.find(deploymentId);
  if (deployment === undefined || deployment.status === "finished" || deployment.silent_after_ms === null) {
    return { failed: 0, after: undefined };
  }
  const cutoffMs = nowMs - deployment.silent_after_ms;
  const openMs = await openToAllSince(records, deployment, nowMs);
  if (openMs === null || cutoffMs < Math.max(openMs, sinceMs)) return { failed: 0, after: undefined };
  const { rows, last } = await records.silence.absentAfter(deploymentId, after, cutoffMs, ABSENT_BATCH);
  for (const row of rows) await changeStatus(records, row, "failure", nowMs, "the device has not asked");
  return { failed: rows.length, after: last };
}
