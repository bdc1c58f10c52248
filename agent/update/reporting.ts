import type { ReportedStatus } from "@upkeep/shared/protocol";
import { proveConnectivity } from "./commit-proof.ts";
import { asAgentError, type Run, serverOf } from "./run.ts";
import type { State } from "./states.ts";
import { type ReportOutcome, send } from "./status.ts";

type StateReport = NonNullable<State["report"]>;

/** Send what a state reports. A standalone update has nobody to report to. */
export async function reportState(run: Run, report: StateReport): Promise<ReportOutcome> {
  const { deployment, outcome } = run.record;
  if (deployment === null) return "done";
  if (report.status === "outcome") return await insist(run, () => reportOutcome(run, deployment, outcome ?? "failure"));
  const status = report.status;
  if (report.effort === "prove") return await proveConnectivity(run, deployment, status);
  return await reportOnce(run, deployment, status);
}

/** Nothing depends on the server having got it; only an abort is heeded. */
async function reportOnce(run: Run, deployment: string, status: ReportedStatus): Promise<ReportOutcome> {
  try {
    return await send(run, deployment, status);
  } catch (error) {
    run.signal.throwIfAborted();
    run.logger.warning(`could not report ${status}: ${asAgentError(error).message}`);
    return "done";
  }
}

/** The final status, and after a failure the log. Only both together count. */
async function reportOutcome(run: Run, deployment: string, status: ReportedStatus): Promise<ReportOutcome> {
  const answer = await send(run, deployment, status);
  if (answer !== "done" || status !== "failure" || run.log === undefined) return answer;
  const taken = await serverOf(run).sendLog(deployment, await run.log.messages(), run.signal);
  if (taken === "refused") run.logger.warning("the server refused the deployment log");
  return "done";
}

async function insist(run: Run, attempt: () => Promise<ReportOutcome>): Promise<ReportOutcome> {
  for (let made = 1; ; made++) {
    try {
      return await attempt();
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
