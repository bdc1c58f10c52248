import { isSystemError, readTextFile, type System } from "@upkeep/shared/system";
import type { Environment } from "./notify.ts";

/** Whoever starts so soon after the machine was started with it, and perhaps with the machines all around. */
const BOOT_MS = 600_000;
const UPTIME_BYTES_MAX = 256;

/** For how long the machine has been up, in milliseconds; `undefined` if it does not say. */
async function uptimeMs(files: System["files"]): Promise<number | undefined> {
  let text: string | undefined;
  try {
    text = await readTextFile(files, "/proc/uptime", UPTIME_BYTES_MAX);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return undefined;
  }
  const seconds = Number.parseFloat(text ?? "");
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}

/**
 * How long the first poll waits: at random up to `longestMs` if systemd starts the daemon while the machine
 * boots, so that a fleet that got its power back does not come as one. Else nothing: somebody started it who
 * may be waiting.
 */
export async function firstPollDelay(
  system: Pick<System, "files" | "random">,
  environment: Environment,
  longestMs: number,
): Promise<number> {
  if (!environment.NOTIFY_SOCKET || longestMs === 0) return 0;
  const upMs = await uptimeMs(system.files);
  return upMs !== undefined && upMs < BOOT_MS ? longestMs * system.random.fraction() : 0;
}
