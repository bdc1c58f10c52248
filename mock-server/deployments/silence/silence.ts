import type { DeploymentRecord, DeviceDeploymentRecord, Records } from "../../storage/index.ts";
import { changeStatus } from "../device-deployment/changes.ts";
import { CLOCK_JUMP_MS } from "./uptime.ts";

/** Devices that fail in one transaction: a larger one would delay all other writes. */
export const SILENT_BATCH = 100;

/** The minimum of `silent_after`: by default, clients retry a failed poll within `RetryPollIntervalSeconds`. */
export const SILENT_AFTER_MIN_MS = 300_000;

/** How long healthy clients are silent by default. */
const SILENT_BY_DEFAULT = [
  { key: "UpdatePollIntervalSeconds", ms: 1_800_000, when: "between two polls" },
  { key: "StateScriptTimeoutSeconds", ms: 3_600_000, when: "while a state script runs" },
  { key: "ModuleTimeoutSeconds", ms: 14_400_000, when: "while an update module installs" },
] as const;

/** What the search for silent devices depends on. */
export interface SilenceRules {
  /** Since when servers have been up. */
  readonly sinceMs: number;
  /** How long a download may take that does not pass through this server. */
  readonly unseenDownloadMs: number;
}

/** A warning if the limit would fail healthy devices with default settings. */
export function silenceWarning(silentAfterMs: number | null | undefined): string | undefined {
  if (silentAfterMs == null) return undefined;
  const longer = SILENT_BY_DEFAULT.filter(({ ms }) => silentAfterMs <= ms);
  if (longer.length === 0) return undefined;
  const named = longer.map(({ key, ms, when }) => `${key} (${ms / 1000} s, ${when})`).join(", ");
  return `silent_after: ${silentAfterMs / 1000} s is not longer than the clients' defaults of ${named}: a device on which all is well may fail`;
}

/**
 * Fails devices that have their instructions and were silent for longer than their deployment allows. Silence counts
 * from the last sign of life, and at the earliest from the start of the servers. A device that waits for a slot is not
 * silent. Such a failure is not retried.
 * @returns The number of devices, at most {@link SILENT_BATCH}.
 */
export async function failSilent(
  records: Records,
  deployment: DeploymentRecord,
  nowMs: number,
  rules: SilenceRules,
): Promise<number> {
  const silent = await silentDevices(records, deployment, nowMs, rules, SILENT_BATCH);
  for (const row of silent) await changeStatus(records, row, "failure", nowMs, "the device has fallen silent");
  return silent.length;
}

/** True if {@link failSilent} would fail a device. */
export async function anySilent(
  records: Records,
  deployment: DeploymentRecord,
  nowMs: number,
  rules: SilenceRules,
): Promise<boolean> {
  return (await silentDevices(records, deployment, nowMs, rules, 1)).length > 0;
}

async function silentDevices(
  records: Records,
  deployment: DeploymentRecord,
  nowMs: number,
  { sinceMs, unseenDownloadMs }: SilenceRules,
  limit: number,
): Promise<DeviceDeploymentRecord[]> {
  if (deployment.silent_after_ms === null || deployment.status === "finished") return [];
  const cutoffMs = nowMs - deployment.silent_after_ms;
  if (cutoffMs < sinceMs) return [];
  return await records.silence.silentSince(deployment.id, cutoffMs, limit, {
    downloadingCutoffMs: cutoffMs - unseenDownloadMs,
    paused: deployment.paused_ms !== null,
  });
}

/** Resets signs of life that lie in the future, because the wall clock was set back, to now. */
export async function resetFutureSigns(records: Records, { id }: DeploymentRecord, nowMs: number): Promise<void> {
  await records.silence.capLastSeen(id, nowMs + CLOCK_JUMP_MS, nowMs);
}
