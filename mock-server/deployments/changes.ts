import { type DeviceDeploymentStatus, isTerminal } from "@upkeep/shared/protocol";
import type { DeviceDeploymentRecord, Records } from "../storage/index.ts";
import { pipelined } from "../storage/pipelined.ts";
import { deploymentStatus, milestones } from "./lifecycle.ts";
import { countOutcome } from "./outcomes.ts";
import { dismissWaiting } from "./pending-ends.ts";

/**
 * Give a device deployment another status, and its deployment what follows from that: counters, status,
 * finish, the counts of its phase, a pause if too many failed. The only way in which a single status changes.
 */
export async function changeStatus(
  records: Records,
  deviceDeployment: DeviceDeploymentRecord,
  to: DeviceDeploymentStatus,
  nowMs: number,
  substate?: string,
): Promise<void> {
  const change = {
    status: to,
    ...milestones(deviceDeployment, to, nowMs),
    ...(substate ? { substate } : {}),
  };
  const { deployment_id } = deviceDeployment;
  const counts = isTerminal(to) && deviceDeployment.phase !== null;
  await pipelined([
    records.deviceDeployments.update(deviceDeployment, change),
    records.counters.move(deployment_id, deviceDeployment.status, to),
    counts ? countOutcome(records, deviceDeployment, to, nowMs) : refreshDeployment(records, deployment_id, nowMs),
  ]);
  // A deployment that this end pauses is paused before it is finished.
  if (counts) await refreshDeployment(records, deployment_id, nowMs);
}

/**
 * An attempt has failed and is not the last: the device gets the deployment again at its next poll. The failed
 * attempt is written down; the failure counter knows nothing of it.
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
  });
  await records.deviceDeployments.update(failed, {
    status: "pending",
    attempt: failed.attempt + 1,
    substate: null,
    request_json: null,
    instructed_ms: null,
    started_ms: failed.started_ms ?? nowMs,
  });
  await records.counters.move(failed.deployment_id, failed.status, "pending");
  await refreshDeployment(records, failed.deployment_id, nowMs, { begun: true });
}

/**
 * Make the deployment's status what follows from its counters.
 * @param options.begun A device has got somewhere, although the counters do not show it any more.
 */
export async function refreshDeployment(
  records: Records,
  deploymentId: string,
  nowMs: number,
  options: { readonly begun?: boolean } = {},
): Promise<void> {
  const [deployment, statistics] = await pipelined([
    records.deployments.find(deploymentId),
    records.counters.of(deploymentId),
  ]);
  if (deployment === undefined) return;
  const status = deploymentStatus(deployment, statistics, options.begun ?? false);
  if (status === deployment.status) return;
  await records.deployments.setStatus(deploymentId, status, status === "finished" ? nowMs : null);
  if (status === "finished" && deployment.dynamic === 1) await dismissWaiting(records, deployment);
}
