import type { ReportedStatus } from "@upkeep/shared/protocol";
import { type Run, serverOf } from "./run.ts";

/** How telling the server went: it has it; it wants the deployment stopped; it could not be told. */
export type ReportOutcome = "done" | "aborted" | "failed";

/** Send a status, once. @throws AgentError if the server could not be told. */
export async function send(run: Run, deployment: string, status: ReportedStatus): Promise<ReportOutcome> {
  const answer = await serverOf(run).report(deployment, status, run.signal);
  if (answer === "accepted") return "done";
  run.logger.warning(
    answer === "aborted"
      ? `the server answered ${status} with: the deployment was aborted, or is over`
      : `the server answered ${status} with: it knows of no such deployment`,
  );
  return "aborted";
}
