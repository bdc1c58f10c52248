import { isSystemError, readTextFile, type System } from "@upkeep/shared/system";
import type { Environment } from "./notify.ts";

/** An agent that starts this soon after the machine was started by the boot, perhaps together with a whole fleet. */
const BOOT_MS = 600_000;
const UPTIME_BYTES_MAX = 256;

/** The machine's uptime in milliseconds; `undefined` if the kernel does not report it. */
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
 * How long the first poll waits: a random time up to `longestMs` if systemd starts the agent while the machine boots,
 * so that a fleet whose power comes back does not poll at once. An agent that an operator starts polls at once.
 */
export async function firstPollDelay(
  system: Pick<System, "files" | "random">,
  environment: Environment,
  longestMs: number,
): Promise<number> {
  // systemd tells a daemon where to notify it, and every service the id of its start.
  if (!(environment.NOTIFY_SOCKET || environment.INVOCATION_ID) || longestMs === 0) return 0;
  const upMs = await uptimeMs(system.files);
  return upMs !== undefined && upMs < BOOT_MS ? longestMs * system.random.fraction() : 0;
}
