import type { DeploymentRecord, Records } from "../storage/index.ts";
import { changeStatus } from "./changes.ts";
import { CLOCK_JUMP_MS } from "./uptime.ts";

/** Devices that fail in one transaction: every other write waits for it. */
export const SILENT_BATCH = 100;

/**
 * The shortest limit that is taken: `RetryPollIntervalSeconds` of the clients' defaults. A client whose request failed
 * asks again after up to so long.
 */
export const SILENT_AFTER_MIN_MS = 300_000;

/** How long clients are silent by their defaults while all is well. */
const SILENT_BY_DEFAULT = [
  { key: "UpdatePollIntervalSeconds", ms: 1_800_000, when: "between two polls" },
  { key: "StateScriptTimeoutSeconds", ms: 3_600_000, when: "while a state script runs" },
  { key: "ModuleTimeoutSeconds", ms: 14_400_000, when: "while an update module installs" },
] as const;

/** What a look for silent devices goes by. */
export interface SilenceRules {
  /** Since when devices can be heard. */
  readonly sinceMs: number;
  /** How long a download may take of which this server sees nothing, because the bytes come from elsewhere. */
  readonly unseenDownloadMs: number;
}

/** Why healthy devices may fail by a limit; `undefined`: it is longer than clients are silent by their defaults. */
export function silenceWarning(silentAfterMs: number | null | undefined): string | undefined {
  if (silentAfterMs == null) return undefined;
  const longer = SILENT_BY_DEFAULT.filter(({ ms }) => silentAfterMs <= ms);
  if (longer.length === 0) return undefined;
  const named = longer.map(({ key, ms, when }) => `${key} (${ms / 1000} s, ${when})`).join(", ");
  return `silent_after: ${silentAfterMs / 1000} s is not longer than the clients' defaults of ${named}: a device on which all is well may fail`;
}

/**
 * Devices that have their instructions and were silent for longer than their deployment bears have failed. Silence
 * counts from the last sign of life, at the earliest from when devices could be heard. A device that waits for its turn
 * is not silent. A failure of this kind is not tried again.
 * @returns How many there were: at most {@link SILENT_BATCH} at a time.
 */
export async function failSilent(
  records: Records,
  deployment: DeploymentRecord,
  nowMs: number,
  { sinceMs, unseenDownloadMs }: SilenceRules,
): Promise<number> {
  if (deployment.silent_after_ms === null || deployment.status === "finished") return 0;
  const cutoffMs = nowMs - deployment.silent_after_ms;
  if (cutoffMs < sinceMs) return 0;
  const silent = await records.silence.silentSince(deployment.id, cutoffMs, SILENT_BATCH, {
    downloadingCutoffMs: cutoffMs - unseenDownloadMs,
    paused: deployment.paused_ms !== null,
  });
  for (const row of silent) await changeStatus(records, row, "failure", nowMs, "the device has fallen silent");
  return silent.length;
}

/** A clock that was set back has left signs of life in the future: they count from now. */
export async function endFutureSigns(records: Records, { id }: DeploymentRecord, nowMs: number): Promise<void> {
  await records.silence.capLastSeen(id, nowMs + CLOCK_JUMP_MS, nowMs);
}
