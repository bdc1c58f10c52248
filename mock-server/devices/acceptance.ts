import type { AuthSetRecord, AuthStatus, Records } from "../storage/index.ts";
import { deviceStatus } from "./auth-status.ts";

/** Accept a key. A device has one accepted key: another one is rejected. */
export async function accept(records: Records, authSet: AuthSetRecord, nowMs: number): Promise<AuthSetRecord> {
  for (const other of await records.authSets.ofDevices([authSet.device_id])) {
    if (other.id !== authSet.id && other.status === "accepted") await records.authSets.setStatus(other.id, "rejected");
  }
  return setStatus(records, authSet, "accepted", nowMs);
}

/** Set the status of a key, and the device's with it. Its tokens are revoked. */
export async function setStatus(
  records: Records,
  authSet: AuthSetRecord,
  status: AuthStatus,
  nowMs: number,
): Promise<AuthSetRecord> {
  await records.authSets.setStatus(authSet.id, status);
  await refreshDevice(records, authSet.device_id, nowMs);
  return { ...authSet, status, token_generation: authSet.token_generation + 1 };
}

/** Make the device's status what follows from its keys. */
export async function refreshDevice(records: Records, deviceId: string, nowMs: number): Promise<void> {
  const status = deviceStatus(await records.authSets.ofDevices([deviceId]));
  const device = await records.devices.find(deviceId);
  if (device !== undefined && device.status !== status) await records.devices.setStatus(deviceId, status, nowMs);
}
