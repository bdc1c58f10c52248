import type { ReportedStatus } from "@upkeep/shared/protocol";
import { proveConnectivity } from "./commit-proof.ts";
import { deploymentOf } from "./journal.ts";
import { asAgentError, type Run, serverOf } from "./run.ts";
import { type ReportOutcome, sendStatus } from "./send-status.ts";
import type { StatusReport } from "./states.ts";

/** Send the status of a state that begins. An update by hand has no server to report to. */
export async function reportStatus(run: Run, { status, effort }: StatusReport): Promise<ReportOutcome> {
  const deployment = deploymentOf(run.record);
  if (deployment === null) return "done";
  if (effort === "prove") return await proveConnectivity(run, deployment, status);
  try {
    return await sendStatus(run, deployment, status);
  } catch (error) {
    run.signal.throwIfAborted();
    run.logger.warning(`could not report ${status}: ${asAgentError(error).message}`);
    return "done";
  }
}

/**
 * Send the final status, and after a failure the log; one without the other is sent again.
 * @returns `failed` when the retries are used up.
 */
export async function reportOutcome(run: Run): Promise<ReportOutcome> {
  const deployment = deploymentOf(run.record);
  if (deployment === null) return "done";
  for (let made = 1; ; made++) {
    try {
      return await sendOutcome(run, deployment, run.record.outcome ?? "failure");
    } catch (error) {
      run.signal.throwIfAborted();
      const { message, retryAfterMs } = asAgentError(error);
      const delayMs = run.options.retryDelays(made, retryAfterMs);
      if (delayMs === undefined) {
        run.logger.error(`could not report to the server, and do not try any more for now: ${message}`);
        return "failed";
      }
      run.logger.warning(`could not report to the server, trying again in ${delayMs / 1000} s: ${message}`);
      await run.options.system.timers.sleep(delayMs, run.signal);
    }
  }
}

async function sendOutcome(run: Run, deployment: string, status: ReportedStatus): Promise<ReportOutcome> {
  const answer = await sendStatus(run, deployment, status);
  if (answer !== "done" || status !== "failure" || run.log === undefined) return answer;
  const sent = await serverOf(run).sendLog(deployment, await run.log.messages(), run.signal);
  if (sent === "refused") run.logger.warning("the server refused the deployment log");
  return "done";
}
