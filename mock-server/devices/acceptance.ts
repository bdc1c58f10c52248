import type { AuthSetRecord, AuthStatus, Records } from "../storage/index.ts";
import { standingOf } from "./auth-status.ts";

/** The name of the limit of accepted devices. */
const LIMIT = "max_devices";

/** The maximum number of accepted devices; `undefined`: no limit. */
export function deviceLimit({ settings }: Records): Promise<number | undefined> {
  return settings.limit(LIMIT);
}

/** @param limit `undefined`: no limit. Accepted devices stay accepted. */
export function setDeviceLimit({ settings }: Records, limit: number | undefined): Promise<void> {
  return settings.setLimit(LIMIT, limit);
}

/** True if the device is accepted already or the limit allows one more. */
export async function mayBeAccepted(records: Records, deviceId: string): Promise<boolean> {
  const limit = await deviceLimit(records);
  if (limit === undefined || (await records.devices.find(deviceId))?.status === "accepted") return true;
  return (await records.devices.count("accepted")) < limit;
}

/** Accepts a key. A device has one accepted key, so any other accepted key is rejected. */
export async function accept(records: Records, authSet: AuthSetRecord, nowMs: number): Promise<AuthSetRecord> {
  for (const other of await records.authSets.ofDevices([authSet.device_id])) {
    if (other.id !== authSet.id && other.status === "accepted") await records.authSets.setStatus(other.id, "rejected");
  }
  return setStatus(records, authSet, "accepted", nowMs);
}

/** Sets the status of a key, revokes its tokens, and updates the status of the device. */
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

/** Derives the status and the tier of the device from its keys. */
export async function refreshDevice(records: Records, deviceId: string, nowMs: number): Promise<void> {
  const standing = standingOf(await records.authSets.ofDevices([deviceId]));
  const device = await records.devices.find(deviceId);
  if (device === undefined || (device.status === standing.status && device.tier === standing.tier)) return;
  await records.devices.setStanding(deviceId, standing, nowMs);
}
