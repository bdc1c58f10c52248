import { isSystemError } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { HeldDevice } from "./context.ts";
import { deviceTypeFile } from "./from-config.ts";

/** What a device lacks that a poll needs; `undefined` if nothing. An update that was interrupted goes on all the same. */
export async function missingSetup(device: HeldDevice): Promise<string | undefined> {
  if (device.store.update !== undefined) return undefined;
  const missing = [
    ...(device.config.servers.length === 0 ? ["the URL of its server"] : []),
    ...((await lacksDeviceType(device)) ? [`its device type (${deviceTypeFile(device)})`] : []),
  ];
  return missing.length === 0 ? undefined : missing.join(" and ");
}

/** True if there is no file of the device type. A wrong one is an error of each poll. */
async function lacksDeviceType({ system, deviceType, ...device }: HeldDevice): Promise<boolean> {
  try {
    await deviceType();
    return false;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    if (isSystemError(error.cause)) return false;
  }
  return (await system.files.status(deviceTypeFile(device))) === undefined;
}

/** @param missing What the device lacks. */
export function notSetUp(missing: string): string {
  return `this device is not set up: it lacks ${missing}; 'upkeep setup' sets it up`;
}
