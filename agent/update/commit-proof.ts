import type { ReportedStatus } from "@upkeep/shared/protocol";
import { connectedInterfaces } from "../device/local-network.ts";
import type { AgentError } from "../errors.ts";
import { asAgentError, type Run, serverOf } from "./run.ts";
import { type ReportOutcome, sendStatus } from "./send-status.ts";

/** Pause between two attempts when neither the server nor the retry schedule names one. */
const PAUSE_MS = 60_000;
/** The first pauses: a network that comes up a moment after the agent costs seconds, not a minute. */
const FIRST_PAUSES_MS = [2000, 5000, 10_000, 20_000] as const;
/** Interval of reading a clock that is not set: the next attempt follows as soon as it is. */
const CLOCK_CHECK_MS = 10_000;

/** Faults of the network or the server, not of this device. They do not count where local connectivity is enough. */
const REMOTE_FAULTS: ReadonlySet<string> = new Set([
  "server-unreachable",
  "connection-broken",
  "connection-stalled",
  "proxy-refused",
  "server-failed",
  "server-busy",
]);

/**
 * Prove, before the commit, that the new software can log in and report: a device that cannot is out of reach of every
 * later update. Attempts go on for `commitTimeoutMs`.
 */
export async function proveConnectivity(run: Run, deployment: string, status: ReportedStatus): Promise<ReportOutcome> {
  const { system, settings, retryDelays } = run.options;
  const { clock } = system;
  const deadline = clock.monotonic() + settings.commitTimeoutMs;
  let pauseMs = PAUSE_MS;
  for (let made = 1; ; made++) {
    let fault: AgentError;
    try {
      await serverOf(run).loginAfresh(run.signal);
      return await sendStatus(run, deployment, status);
    } catch (error) {
      run.signal.throwIfAborted();
      fault = asAgentError(error);
    }
    if (settings.commitConnectivity === "local" && (await localNetworkIsEnough(run, fault))) return "done";
    const leftMs = deadline - clock.monotonic();
    if (leftMs <= 0) {
      const why = `the server could not be reached for ${settings.commitTimeoutMs / 1000} s with the new software`;
      run.logger.error(`${why}, so it is not committed: ${fault.message}`);
      return "failed";
    }
    pauseMs = retryDelays(Math.max(1, made - FIRST_PAUSES_MS.length), fault.retryAfterMs) ?? pauseMs;
    const firstMs = fault.retryAfterMs === undefined ? FIRST_PAUSES_MS[made - 1] : undefined;
    const untilNextMs = Math.min(firstMs ?? pauseMs, pauseMs, leftMs);
    const clockSays = clockFault(run, fault);
    run.logger.warning(
      `cannot yet prove that the server can be reached (${fault.message}); ${clockSays ?? ""}trying again within ${Math.ceil(untilNextMs / 1000)} s, and for another ${Math.round(leftMs / 1000)} s in all`,
    );
    await pause(run, untilNextMs);
  }
}

/** True if the clock is not synchronised (yet): it says a time before this update began. */
function clockIsBehind({ options, record }: Run): boolean {
  return record.begunMs !== undefined && options.system.clock.now() < record.begunMs;
}

/** Describes the clock if it is the likely reason for a fault. */
function clockFault(run: Run, fault: AgentError): string | undefined {
  const now = new Date(run.options.system.clock.now()).toISOString();
  const { begunMs } = run.record;
  if (begunMs !== undefined && clockIsBehind(run)) {
    return `the clock is not synchronised yet: it says ${now}, but the update began at ${new Date(begunMs).toISOString()}; waiting for it, `;
  }
  return fault.code === "certificate-not-yet-valid"
    ? `the clock, which says ${now}, may not be synchronised yet; `
    : undefined;
}

/** Wait. A clock that is behind ends the wait when it is set. */
async function pause(run: Run, pauseMs: number): Promise<void> {
  const { timers, clock } = run.options.system;
  if (!clockIsBehind(run)) return await timers.sleep(pauseMs, run.signal);
  const end = clock.monotonic() + pauseMs;
  for (let leftMs = pauseMs; leftMs > 0 && clockIsBehind(run); leftMs = end - clock.monotonic()) {
    await timers.sleep(Math.min(leftMs, CLOCK_CHECK_MS), run.signal);
  }
}

async function localNetworkIsEnough(run: Run, fault: AgentError): Promise<boolean> {
  if (!REMOTE_FAULTS.has(fault.code)) return false;
  try {
    const interfaces = await connectedInterfaces(run.options.system.files);
    if (interfaces.length === 0) return false;
    run.logger.warning(
      `the server cannot be reached (${fault.message}); committing all the same, as the configuration allows it and ${interfaces.join(", ")} is connected`,
    );
    return true;
  } catch (error) {
    run.signal.throwIfAborted();
    run.logger.warning(`cannot tell whether there is a local network: ${asAgentError(error).message}`);
    return false;
  }
}
