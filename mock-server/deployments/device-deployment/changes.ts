import { type DeviceDeploymentStatus, isTerminal, type TerminalStatus } from "@upkeep/shared/protocol";
import type { DeviceDeploymentRecord, PhaseRecord, Records, ReportedDeviceDeployment } from "../../storage/index.ts";
import { pipeline } from "../../storage/statement.ts";
import { finishAfterCommit } from "../deployment-end/completion.ts";
import { failsTooOften, neverOpensNext } from "../phases.ts";
import { failureReason } from "./failure-reason.ts";
import { milestones } from "./lifecycle.ts";
import { stateAfter } from "./state-after.ts";

/** A device deployment, perhaps with the status of its deployment, which never goes back to `pending`. */
type Changing = DeviceDeploymentRecord & Partial<Pick<ReportedDeviceDeployment, "deployment_status">>;

/**
 * Sets the status of a device deployment and updates its deployment: counters, the counts of the phase, and a pause if
 * too many devices failed; after the commit, its end. Every change of a single status comes through here.
 */
export async function changeStatus(
  records: Records,
  deviceDeployment: Changing,
  to: DeviceDeploymentStatus,
  nowMs: number,
  substate?: string,
): Promise<void> {
  const change = {
    status: to,
    ...milestones(deviceDeployment, to, nowMs),
    ...(substate ? { substate } : {}),
    ...(to === "failure" ? { reason: failureReason(deviceDeployment, substate) } : {}),
    state_count: deviceDeployment.state_count + 1,
  };
  const { deployment_id, phase, deployment_status = "pending" } = deviceDeployment;
  const isSuccess = isTerminal(to) && OUTCOMES[to] === "succeeded";
  await pipeline([
    records.deviceDeployments.updateStatement(deviceDeployment, change),
    records.states.insertStatement(
      stateAfter(deviceDeployment, { status: to, atMs: nowMs, substate: substate || null }),
    ),
    ...records.counters.addStatements(deployment_id, [
      [deviceDeployment.status, -1],
      [to, 1],
      ...(phase !== null && isSuccess ? [[`phase ${phase} succeeded`, 1] as const] : []),
    ]),
    ...(deployment_status === "pending" ? [records.deployments.beginStatement(deployment_id)] : []),
  ]);
  if (!isTerminal(to)) return;
  await countOutcome(records, deviceDeployment, to, nowMs);
  finishAfterCommit(records, deployment_id, nowMs);
}

/**
 * Records a failed attempt that is not the last: the device gets the deployment again at its next poll. The failure
 * counter does not change.
 */
export async function retry(
  records: Records,
  failed: DeviceDeploymentRecord,
  nowMs: number,
  substate?: string,
): Promise<void> {
  await records.attempts.insert({
    deployment_id: failed.deployment_id,
    device_id: failed.device_id,
    attempt: failed.attempt,
    substate: substate || failed.substate,
    started_ms: failed.instructed_ms,
    finished_ms: nowMs,
    reason: failureReason(failed, substate),
  });
  const next = { status: "pending", atMs: nowMs, substate: null, attempt: failed.attempt + 1 } as const;
  await pipeline([
    records.deviceDeployments.updateStatement(failed, {
      status: "pending",
      state_count: failed.state_count + 1,
      attempt: failed.attempt + 1,
      substate: null,
      reason: null,
      request_json: null,
      instructed_ms: null,
      started_ms: failed.started_ms ?? nowMs,
    }),
    records.states.insertStatement(stateAfter(failed, next)),
    ...records.counters.moveStatements(failed.deployment_id, failed.status, "pending"),
    records.deployments.beginStatement(failed.deployment_id),
  ]);
}

/** How a phase counts each terminal status. */
const OUTCOMES = {
  success: "succeeded",
  "already-installed": "succeeded",
  failure: "failed",
  noartifact: "excluded",
  aborted: "excluded",
  decommissioned: "excluded",
} as const satisfies Record<TerminalStatus, "succeeded" | "failed" | "excluded">;

/**
 * Counts the outcome of a device in its phase. Pauses the deployment, in the same transaction, if too many devices
 * failed there or too few can still succeed for the next phase to open.
 */
async function countOutcome(
  records: Records,
  { deployment_id, phase: number }: DeviceDeploymentRecord,
  end: TerminalStatus,
  nowMs: number,
): Promise<void> {
  if (number === null) return;
  const outcome = OUTCOMES[end];
  // Successes have no order: they pause nothing.
  if (outcome === "succeeded") return;
  const phases = await records.phases.countLoss(deployment_id, number, outcome);
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
