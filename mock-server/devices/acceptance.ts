import type { AuthSetRecord, AuthStatus, Records } from "../storage/index.ts";
import { deviceStatus } from "./auth-status.ts";

/** Name of the limit of accepted devices. */
const LIMIT = "max_devices";

/** How many devices may be accepted at once; `undefined`: any number. */
export function deviceLimit({ settings }: Records): Promise<number | undefined> {
  return settings.limit(LIMIT);
}

/** @param limit `undefined`: any number. Devices that are accepted already stay so. */
export function setDeviceLimit({ settings }: Records, limit: number | undefined): Promise<void> {
  return settings.setLimit(LIMIT, limit);
}

/** True if the limit lets this device be accepted, as it is if it is so already. */
export async function mayBeAccepted(records: Records, deviceId: string): Promise<boolean> {
  const limit = await deviceLimit(records);
  if (limit === undefined || (await records.devices.find(deviceId))?.status === "accepted") return true;
  return (await records.devices.count("accepted")) < limit;
}

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
