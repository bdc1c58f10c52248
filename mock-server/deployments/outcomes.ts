import type { TerminalStatus } from "@upkeep/shared/protocol";
import type { DeviceDeploymentRecord, Records } from "../storage/index.ts";
import { failsTooOften } from "./phases.ts";

/** What an end says about the release. */
const OUTCOMES = {
  success: "succeeded",
  "already-installed": "succeeded",
  failure: "failed",
  noartifact: "excluded",
  aborted: "excluded",
  decommissioned: "excluded",
} as const satisfies Record<TerminalStatus, string>;

/**
 * Count the end of a device in the phase whose place it has. If too many have failed there, the deployment is
 * paused, in the transaction of the status that crosses the threshold; once paused, it stays as it is.
 */
export async function countOutcome(
  records: Records,
  { deployment_id, phase: number }: DeviceDeploymentRecord,
  end: TerminalStatus,
  nowMs: number,
): Promise<void> {
  if (number === null) return;
  await records.phases.countOutcome(deployment_id, number, OUTCOMES[end]);
  if (OUTCOMES[end] !== "failed") return;
  const phase = (await records.phases.of(deployment_id)).find((one) => one.number === number);
  if (phase === undefined || !failsTooOften(phase)) return;
  const deployment = await records.deployments.find(deployment_id);
  if (deployment === undefined || deployment.paused_ms !== null || deployment.status === "finished") return;
  const reason = `phase ${number + 1}: ${phase.failed} of ${phase.places} devices failed, the error threshold is ${phase.error_percent} percent`;
  await records.deployments.setPause(deployment_id, { sinceMs: nowMs, reason });
}
