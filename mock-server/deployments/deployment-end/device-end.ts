import type { DeviceDeploymentRecord, DeviceRecord, Records } from "../../storage/index.ts";
import { changeStatus } from "../device-deployment/changes.ts";
import { admitAnyway } from "../selection/admission.ts";
import { addTarget, matchingDeployments, removeTarget } from "../selection/membership.ts";
import { applyPendingEnd } from "./pending-ends.ts";

/** Ends the unfinished device deployments of a device as `decommissioned`, before the device is deleted. */
export async function decommissionDevice(records: Records, deviceId: string, nowMs: number): Promise<void> {
  await applyPendingEnd(records, deviceId);
  await records.preparations.withdraw(deviceId);
  for (const open of await records.deviceDeployments.allOpen(deviceId)) {
    if (await isUnadmittedMatch(records, open)) await removeTarget(records, open);
    else await changeStatus(records, open, "decommissioned", nowMs);
  }
}

/** Ends the unfinished device deployments of a device as `aborted`, including deployments whose filter it matches. */
export async function abortDevice(records: Records, deviceId: string, nowMs: number): Promise<void> {
  await applyPendingEnd(records, deviceId);
  const device = await records.devices.find(deviceId);
  const rows = await records.deviceDeployments.allOpen(deviceId);
  if (device?.status === "accepted") rows.push(...(await addMatching(records, device)));
  for (const row of rows) {
    // The device counts as admitted, so that it does not get the deployment later.
    const ended = (await isUnadmittedMatch(records, row)) ? await admitAnyway(records, row) : row;
    await changeStatus(records, ended, "aborted", nowMs);
  }
}

async function addMatching(records: Records, device: DeviceRecord): Promise<DeviceDeploymentRecord[]> {
  const rows: DeviceDeploymentRecord[] = [];
  const lastFinished = await records.deviceDeployments.lastFinished(device.id);
  for (const deployment of await matchingDeployments(records, device, lastFinished)) {
    rows.push(await addTarget(records, deployment, device.id));
  }
  return rows;
}

/** True if the device only matches the filter of a deployment and was not admitted. */
async function isUnadmittedMatch(records: Records, row: DeviceDeploymentRecord): Promise<boolean> {
  return row.admitted === 0 && (await records.deployments.find(row.deployment_id))?.dynamic === 1;
}
