import type { ReportedStatus } from "@upkeep/shared/protocol";
import { LinkedController } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { deploymentOf } from "./journal.ts";
import { asAgentError, type Run } from "./run.ts";
import { sendStatus } from "./send-status.ts";

/** A request that is under way when the state ends is cancelled after this time. */
const LAST_ANSWER_MS_MAX = 10_000;

/**
 * Run a state's action and send the state's status again every `abortCheckMs`: the answer 409 means that the deployment
 * was aborted, and stops the action.
 * @param act Gets a run whose signal stops it.
 * @returns The result of `act`; `undefined` if the deployment was aborted.
 */
export async function unlessAborted<T>(
  run: Run,
  status: ReportedStatus,
  act: (run: Run) => Promise<T>,
): Promise<T | undefined> {
  const { abortCheckMs } = run.options.settings;
  const deployment = deploymentOf(run.record);
  if (deployment === null || abortCheckMs === 0) return await act(run);
  const abortion = new LinkedController(run.signal);
  const over = new LinkedController(run.signal);
  const watching = watch(run, deployment, status, over.signal, () =>
    abortion.abort(new AgentError("aborted", "the server aborted the deployment")),
  );
  try {
    return await act({ ...run, signal: abortion.signal });
  } catch (error) {
    if (abortion.signal.aborted && !run.signal.aborted) return undefined;
    throw error;
  } finally {
    over.abort();
    await watching;
    over.release();
    abortion.release();
  }
}

/** Ends soon after `over` is aborted. Never rejects. */
async function watch(
  run: Run,
  deployment: string,
  status: ReportedStatus,
  over: AbortSignal,
  onAborted: () => void,
): Promise<void> {
  const { timers } = run.options.system;
  for (;;) {
    try {
      await timers.sleep(run.options.settings.abortCheckMs, over);
      // Not cancelled at once: a request that arrives after the next state's report would overwrite it with an old status.
      const question = new AbortController();
      const drop = (): void => {
        timers.after(LAST_ANSWER_MS_MAX, () => question.abort(over.reason));
      };
      over.addEventListener("abort", drop, { once: true });
      try {
        const answer = await sendStatus({ ...run, signal: question.signal }, deployment, status);
        if (answer === "aborted") return onAborted();
      } finally {
        over.removeEventListener("abort", drop);
      }
    } catch (error) {
      if (over.aborted) return;
      run.logger.debug(`could not ask whether the deployment was aborted: ${asAgentError(error).message}`);
    }
  }
}
