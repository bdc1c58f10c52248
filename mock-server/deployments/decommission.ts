import type { Records } from "../storage/index.ts";
import { changeStatus } from "./changes.ts";

/** The device is going: whatever it has not finished ends as `decommissioned`. */
export async function decommissionDevice(records: Records, deviceId: string, nowMs: number): Promise<void> {
  for (const open of await records.deviceDeployments.allOpen(deviceId)) {
    await changeStatus(records, open, "decommissioned", nowMs);
  }
}
