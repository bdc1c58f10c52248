import type { AttributeRecord, DeviceRecord, Records } from "../storage/index.ts";
import type { AttributeLookup, AttributeValue } from "./filters/match.ts";
import type { AttributeScope } from "./filters/terms.ts";

export interface Attribute {
  readonly scope: AttributeScope;
  readonly name: string;
  readonly value: AttributeValue;
  readonly description?: string;
  readonly updatedMs: number;
}

/** A device with all its attributes. */
export interface DeviceInventory {
  readonly id: string;
  /** By scope, then name. */
  readonly attributes: readonly Attribute[];
  /** When it or one of its attributes last changed. */
  readonly updatedMs: number;
  readonly record: DeviceRecord;
}

/** The attributes of these devices, in the same order: reported ones, tags, and those that the server derives. */
export async function describeDevices(records: Records, devices: readonly DeviceRecord[]): Promise<DeviceInventory[]> {
  const ids = devices.map(({ id }) => id);
  const byDevice = new Map<string, AttributeRecord[]>(ids.map((id) => [id, []]));
  for (const attribute of await records.inventory.ofDevices(ids)) byDevice.get(attribute.device_id)?.push(attribute);
  const statuses = await records.deviceDeployments.latestStatuses(ids);
  return devices.map((device) => describe(device, byDevice.get(device.id) ?? [], statuses.get(device.id)));
}

function describe(
  device: DeviceRecord,
  stored: readonly AttributeRecord[],
  latestDeploymentStatus: string | undefined,
): DeviceInventory {
  const updatedMs = stored.reduce((latest, { updated_ms }) => Math.max(latest, updated_ms), device.updated_ms);
  const known = (scope: AttributeScope, name: string, value: string | null | undefined): Attribute[] =>
    value === null || value === undefined ? [] : [{ scope, name, value, updatedMs: device.updated_ms }];
  const timestamp = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
  const attributes = [
    ...stored.map(attributeOf),
    ...known("identity", "status", device.status),
    ...known("system", "created_ts", timestamp(device.created_ms)),
    ...known("system", "updated_ts", timestamp(updatedMs)),
    ...known("system", "check_in_time", timestamp(device.check_in_ms)),
    ...known("system", "group", device.group_name),
    ...known("system", "tier", device.tier),
    ...known("system", "latest_deployment_status", latestDeploymentStatus),
  ];
  return { id: device.id, attributes: attributes.sort(byScopeThenName), updatedMs, record: device };
}

function attributeOf(attribute: AttributeRecord): Attribute {
  return {
    scope: attribute.scope,
    name: attribute.name,
    value: JSON.parse(attribute.value_json) as AttributeValue,
    ...(attribute.description === null ? {} : { description: attribute.description }),
    updatedMs: attribute.updated_ms,
  };
}

function byScopeThenName(a: Attribute, b: Attribute): number {
  const order = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
  return order(a.scope, b.scope) || order(a.name, b.name);
}

/** The lookup for filters, where `identity/id` is the id of the device. */
export function lookupIn({ id, attributes }: DeviceInventory): AttributeLookup {
  const values = new Map(attributes.map(({ scope, name, value }) => [`${scope}/${name}`, value]));
  return (scope, name) => (scope === "identity" && name === "id" ? id : values.get(`${scope}/${name}`));
}
