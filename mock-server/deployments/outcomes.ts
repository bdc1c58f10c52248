import type { TerminalStatus } from "@upkeep/shared/protocol";
import type { DeviceDeploymentRecord, PhaseRecord, Records } from "../storage/index.ts";
import { failsTooOften, neverOpensNext } from "./phases.ts";

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
 * Count the end of a device in the phase whose place it has. If too many have failed there, or too few can still
 * succeed for the next phase to open, the deployment is paused, in the transaction of the status that decides it;
 * once paused, it stays as it is.
 */
export async function countOutcome(
  records: Records,
  { deployment_id, phase: number }: DeviceDeploymentRecord,
  end: TerminalStatus,
  nowMs: number,
): Promise<void> {
  if (number === null) return;
  await records.phases.countOutcome(deployment_id, number, OUTCOMES[end]);
  if (OUTCOMES[end] === "succeeded") return;
  const phases = await records.phases.of(deployment_id);
  const phase = phases.find((one) => one.number === number);
  const reason = phase === undefined ? undefined : reasonToPause(phases, phase);
  if (reason === undefined) return;
  const deployment = await records.deployments.find(deployment_id);
  if (deployment === undefined || deployment.paused_ms !== null || deployment.status === "finished") return;
  await records.deployments.setPause(deployment_id, { sinceMs: nowMs, reason });
}

function reasonToPause(phases: readonly PhaseRecord[], phase: PhaseRecord): string | undefined {
  const failed = `phase ${phase.number + 1}: ${phase.failed} of ${phase.places} devices failed`;
  if (failsTooOften(phase)) return `${failed}, the error threshold is ${phase.error_percent} percent`;
  if (!neverOpensNext(phases, phase)) return undefined;
  return `${failed}, so the success threshold of ${phase.success_percent} percent cannot be reached any more`;
}
