import type { ReportedStatus } from "@upkeep/shared/protocol";
import { type Run, serverOf } from "./run.ts";

/** `aborted`: the server wants the deployment stopped, or does not know it any more; `failed`: no attempt succeeded. */
export type ReportOutcome = "done" | "aborted" | "failed";

/** Send a status, once. @throws AgentError if that failed. */
export async function sendStatus(run: Run, deployment: string, status: ReportedStatus): Promise<"done" | "aborted"> {
  const answer = await serverOf(run).report(deployment, status, run.signal, run.record.transfer);
  if (answer === "accepted") return "done";
  run.logger.warning(
    answer === "aborted"
      ? `the server answered ${status} with: the deployment was aborted, or is over`
      : `the server answered ${status} with: it knows of no such deployment`,
  );
  return "aborted";
}
