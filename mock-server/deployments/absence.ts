import type { DeploymentRecord, Records } from "../storage/index.ts";
import { changeStatus } from "./changes.ts";
import { activePhase } from "./phases.ts";

/** Devices that fail in one transaction: every other write waits for it. */
export const ABSENT_BATCH = 100;

/** How often a deployment is searched for absent devices, in times of its limit of silence. */
const SEARCHES_PER_LIMIT = 10;

/** A part of a search for absent devices. */
export interface AbsentPart {
  readonly failed: number;
  /** The id after which the search goes on; `undefined`: it has reached the end. */
  readonly after: string | undefined;
}

/**
 * Devices that are targeted and never ask.
 *
 * INVARIANTS
 * - A device is absent only where nothing but itself kept it from its instructions for the whole limit of silence: the
 *   deployment was not paused, its last phase (which has a place for each device that remains) was active, the device
 *   had no older deployment to finish, and a server could hear.
 * - Devices that only match the filter of a deployment are no targets, so they are never absent.
 */
export class Absence {
  /** By deployment, on the monotonic clock. */
  readonly #nextSearchMs = new Map<string, number>();

  /** True if a search may find something and the last one is long enough ago. Notes that it begins. */
  isDue(deployment: DeploymentRecord, { nowMs, sinceMs, monotonicMs }: AbsenceTimes): boolean {
    const { id, silent_after_ms, open_to_all_ms, dynamic } = deployment;
    if (silent_after_ms === null || open_to_all_ms === null || dynamic === 1) return false;
    if (nowMs - silent_after_ms < Math.max(open_to_all_ms, sinceMs)) return false;
    if (monotonicMs < (this.#nextSearchMs.get(id) ?? Number.NEGATIVE_INFINITY)) return false;
    this.#nextSearchMs.set(id, monotonicMs + silent_after_ms / SEARCHES_PER_LIMIT);
    return true;
  }

  /** Forget deployments that limit silence no more. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const id of this.#nextSearchMs.keys()) if (!ids.has(id)) this.#nextSearchMs.delete(id);
  }
}

export interface AbsenceTimes {
  readonly nowMs: number;
  /** Since when devices can be heard. */
  readonly sinceMs: number;
  readonly monotonicMs: number;
}

/** Since when each target could have its instructions, as far as the deployment goes; `null`: some have to wait. */
export async function openToAllSince(
  records: Records,
  deployment: DeploymentRecord,
  nowMs: number,
): Promise<number | null> {
  const phases = await records.phases.of(deployment.id);
  const isOpen =
    deployment.paused_ms === null && (phases.length === 0 || activePhase(phases, nowMs) === phases[phases.length - 1]);
  if (!isOpen) return null;
  // A clock that was set back has left a time in the future.
  return Math.min(deployment.open_to_all_ms ?? nowMs, nowMs);
}

/** Fail the next absent devices, in the order of their ids. A failure of this kind is not tried again. */
export async function failAbsent(
  records: Records,
  deploymentId: string,
  after: string,
  { nowMs, sinceMs }: AbsenceTimes,
): Promise<AbsentPart> {
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
