import { describeDevices, lookupIn } from "../../devices/attributes.ts";
import { type AttributeLookup, matchesAll } from "../../devices/filters/match.ts";
import type { FilterTerm } from "../../devices/filters/terms.ts";
import type { DeploymentRecord, DeviceDeploymentRecord, DeviceRecord, Records } from "../../storage/index.ts";

/** The filter of a dynamic deployment, as it was when the deployment was created. */
export interface Membership {
  readonly id: string;
  readonly name: string;
  readonly terms: readonly FilterTerm[];
}

/** `undefined` for a deployment to a list of devices. */
export function membershipOf({ filter_json }: Pick<DeploymentRecord, "filter_json">): Membership | undefined {
  return filter_json === null ? undefined : (JSON.parse(filter_json) as Membership);
}

/**
 * The dynamic deployments that a device matches now and takes no part in yet, oldest first. Deployments that have
 * admitted `max_devices` are left out.
 */
export async function matchingDeployments(
  records: Records,
  device: DeviceRecord,
  afterSequence: number,
  beforeSequence?: number,
): Promise<DeploymentRecord[]> {
  const open = (await records.deployments.openDynamic(device.id, afterSequence, beforeSequence)).filter(hasRoom);
  if (open.length === 0) return [];
  const lookup = await lookupOf(records, device);
  return open.filter((deployment) => admits(deployment, lookup));
}

/** False if the device was not admitted and no longer matches the deployment, or the deployment is full. */
export async function mayRemain(records: Records, row: DeviceDeploymentRecord, device: DeviceRecord): Promise<boolean> {
  if (row.admitted === 1) return true;
  const deployment = await records.deployments.find(row.deployment_id);
  if (deployment === undefined || deployment.filter_json === null) return true;
  return admits(deployment, await lookupOf(records, device));
}

/** The part of a dynamic deployment that says which devices it takes. */
export type Admission = Pick<DeploymentRecord, "filter_json" | "max_devices" | "admitted_count">;

/** True if a dynamic deployment has room for one more device, and its filter matches. */
export function admits(deployment: Admission, lookup: AttributeLookup): boolean {
  return hasRoom(deployment) && matchesAll(membershipOf(deployment)?.terms ?? [], lookup);
}

/** Adds the device to the targets of the deployment. */
export async function addTarget(
  records: Records,
  { id, sequence }: DeploymentRecord,
  deviceId: string,
): Promise<DeviceDeploymentRecord> {
  const row: DeviceDeploymentRecord = {
    deployment_id: id,
    device_id: deviceId,
    sequence,
    status: "pending",
    substate: null,
    created_ms: null,
    started_ms: null,
    finished_ms: null,
    hidden_ms: null,
    attempt: 1,
    artifact_id: null,
    request_json: null,
    instructed_ms: null,
    admitted: 0,
    phase: null,
    last_seen_ms: null,
    reason: null,
    state_count: 0,
  };
  await records.deviceDeployments.insert(row);
  await records.counters.add(id, [
    ["pending", 1],
    ["target_count", 1],
  ]);
  return row;
}

/** Removes a device that was not admitted from the targets of the deployment. */
export async function removeTarget(records: Records, row: DeviceDeploymentRecord): Promise<void> {
  await records.deviceDeployments.remove(row);
  await records.counters.add(row.deployment_id, [
    [row.status, -1],
    ["target_count", -1],
    ["device_count", row.created_ms === null ? 0 : -1],
  ]);
}

/** False if the deployment has admitted its maximum of devices. */
export function hasRoom({ max_devices, admitted_count }: Admission): boolean {
  return max_devices === null || admitted_count < max_devices;
}

async function lookupOf(records: Records, device: DeviceRecord): Promise<AttributeLookup> {
  const [inventory] = await describeDevices(records, [device]);
  return inventory === undefined ? () => undefined : lookupIn(inventory);
}
