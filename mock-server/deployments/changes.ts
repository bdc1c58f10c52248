import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { DeviceDeploymentRecord, Records } from "../storage/index.ts";
import { deploymentStatus, milestones } from "./lifecycle.ts";

/**
 * Give a device deployment another status, and its deployment what follows from that: counters, status,
 * finish. The only way in which a single status changes.
 */
export async function changeStatus(
  records: Records,
  deviceDeployment: DeviceDeploymentRecord,
  to: DeviceDeploymentStatus,
  nowMs: number,
  substate?: string,
): Promise<void> {
  await records.deviceDeployments.update(deviceDeployment, {
    status: to,
    ...milestones(deviceDeployment, to, nowMs),
    ...(substate ? { substate } : {}),
  });
  await records.counters.move(deviceDeployment.deployment_id, deviceDeployment.status, to);
  await refreshDeployment(records, deviceDeployment.deployment_id, nowMs);
}

/** Make the deployment's status what follows from its counters. */
export async function refreshDeployment(records: Records, deploymentId: string, nowMs: number): Promise<void> {
  const deployment = await records.deployments.find(deploymentId);
  if (deployment === undefined) return;
  const statistics = await records.counters.of(deploymentId);
  const status = deploymentStatus(deployment.status, statistics, deployment.target_count);
  if (status === deployment.status) return;
  await records.deployments.setStatus(deploymentId, status, status === "finished" ? nowMs : null);
}
