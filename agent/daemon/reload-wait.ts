import type { Logger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import type { DaemonEnd } from "./daemon.ts";
import type { Notifier } from "./notify.ts";

export interface ReloadWaitParts {
  readonly system: Pick<System, "timers" | "processes">;
  readonly notifier: Notifier;
  /** What is waited for, as `systemctl status` shows it. */
  readonly status: string;
  /** How long at most: what is waited for may come without a signal. */
  readonly longestMs: number;
  readonly log: Logger;
}

/**
 * Waits instead of running a daemon: until SIGHUP or for `longestMs`, then the caller is to look at the device and its
 * configuration again; or until it is told to stop.
 */
export async function waitForReload({ system, notifier, status, longestMs, log }: ReloadWaitParts): Promise<DaemonEnd> {
  const wake = new AbortController();
  const stop = new AbortController();
  stop.signal.addEventListener("abort", () => wake.abort());
  const unsubscribes = [
    system.processes.onSignal("SIGHUP", () => wake.abort()),
    ...(["SIGTERM", "SIGINT", "SIGQUIT"] as const).map((name) => system.processes.onSignal(name, () => stop.abort())),
  ];
  try {
    await notifier.ready();
    await notifier.status(status);
    notifier.watch(() => true);
    if (!wake.signal.aborted) await system.timers.sleep(longestMs, wake.signal);
  } catch (error) {
    if (!wake.signal.aborted) throw error;
  } finally {
    for (const unsubscribe of unsubscribes) unsubscribe();
    notifier.forget();
  }
  if (!stop.signal.aborted) return "reload";
  log.info("the daemon stops");
  await notifier.stopping();
  return "stopped";
}
