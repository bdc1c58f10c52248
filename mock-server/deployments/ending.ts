import type { DeviceDeploymentRecord, DeviceRecord, Records } from "../storage/index.ts";
import { admit } from "./admission.ts";
import { changeStatus } from "./changes.ts";
import { join, leave, openTo } from "./membership.ts";
import { applyPendingEnd } from "./pending-ends.ts";

/** The device is going: whatever it has not finished ends as `decommissioned`. */
export async function decommissionDevice(records: Records, deviceId: string, nowMs: number): Promise<void> {
  await applyPendingEnd(records, deviceId);
  await records.deviceDeployments.withdraw(deviceId);
  for (const open of await records.deviceDeployments.allOpen(deviceId)) {
    if (await isGuest(records, open)) await leave(records, open);
    else await changeStatus(records, open, "decommissioned", nowMs);
  }
}

/** Whatever the device has not finished ends as `aborted`, also what is open to it as it is now. */
export async function abortDevice(records: Records, deviceId: string, nowMs: number): Promise<void> {
  await applyPendingEnd(records, deviceId);
  const device = await records.devices.find(deviceId);
  const rows = await records.deviceDeployments.allOpen(deviceId);
  if (device?.status === "accepted") rows.push(...(await joinAll(records, device)));
  for (const row of rows) {
    // What it may not get any more counts among those that had it.
    const ended = (await isGuest(records, row)) ? await admit(records, row, { phase: null }) : row;
    await changeStatus(records, ended, "aborted", nowMs);
  }
}

async function joinAll(records: Records, device: DeviceRecord): Promise<DeviceDeploymentRecord[]> {
  const rows: DeviceDeploymentRecord[] = [];
  const lastFinished = await records.deviceDeployments.lastFinished(device.id);
  for (const deployment of await openTo(records, device, lastFinished)) {
    rows.push(await join(records, deployment, device.id));
  }
  return rows;
}

/** In a deployment to a filter, and not admitted: nothing binds it yet. */
async function isGuest(records: Records, row: DeviceDeploymentRecord): Promise<boolean> {
  return row.admitted === 0 && (await records.deployments.find(row.deployment_id))?.dynamic === 1;
}
