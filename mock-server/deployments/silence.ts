import type { DeploymentRecord, Records } from "../storage/index.ts";
import { changeStatus } from "./changes.ts";
import { leave } from "./membership.ts";

/** So many devices are dealt with in one transaction: everybody else waits for it. */
export const SILENT_BATCH = 100;

/**
 * Devices that were silent for longer than their deployment bears have failed. Silence counts from when a
 * device last asked or reported anything, at the earliest from when the deployment was to begin. A failure of
 * this kind is not tried again.
 * @returns How many there were: at most {@link SILENT_BATCH} at a time.
 */
export async function failSilent(records: Records, deployment: DeploymentRecord, nowMs: number): Promise<number> {
  if (deployment.silent_after_ms === null || deployment.status === "finished") return 0;
  const cutoffMs = nowMs - deployment.silent_after_ms;
  const [first] = await records.phases.of(deployment.id);
  const beginMs = Math.max(deployment.created_ms, first?.start_ms ?? 0);
  if (cutoffMs < beginMs) return 0;
  const silent = await records.deviceDeployments.silentSince(deployment.id, cutoffMs, SILENT_BATCH);
  for (const row of silent) {
    // A device that only matched the filter and never began is no target; it may come again.
    if (deployment.dynamic === 1 && row.admitted === 0) await leave(records, row);
    else await changeStatus(records, row, "failure", nowMs, "the device has fallen silent");
  }
  return silent.length;
}
