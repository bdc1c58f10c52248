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

/** An attribute, by name. */
export interface AttributeReference {
  readonly scope: AttributeScope;
  readonly attribute: string;
}

/**
 * The attributes of these devices, in the same order: reported ones, tags, and those that the server derives.
 * @param needed Others may be missing, which is faster. Default: all.
 */
export async function describeDevices(
  records: Records,
  devices: readonly DeviceRecord[],
  needed?: readonly AttributeReference[],
): Promise<DeviceInventory[]> {
  const ids = devices.map(({ id }) => id);
  const byDevice = new Map<string, AttributeRecord[]>(ids.map((id) => [id, []]));
  for (const attribute of await stored(records, ids, needed)) byDevice.get(attribute.device_id)?.push(attribute);
  const needsStatus = needed?.some(({ attribute }) => attribute === LATEST_STATUS) ?? true;
  const statuses = needsStatus ? await records.deviceDeployments.latestStatuses(ids) : undefined;
  return devices.map((device) => describe(device, byDevice.get(device.id) ?? [], statuses?.get(device.id)));
}

const LATEST_STATUS = "latest_deployment_status";
/** Attributes that no device reports. */
const DERIVED: readonly string[] = [
  "identity/id",
  "identity/status",
  "system/check_in_time",
  "system/created_ts",
  "system/group",
  "system/tier",
  "system/updated_ts",
  `system/${LATEST_STATUS}`,
];

/** True if the server derives the attribute from other records: the index over attributes does not have it. */
export function isDerived({ scope, attribute }: AttributeReference): boolean {
  return DERIVED.includes(`${scope}/${attribute}`);
}

/** Devices with lookups that know these attributes alone, none of which is derived; in the same order. */
export async function storedLookups(
  records: Records,
  ids: readonly string[],
  needed: readonly AttributeReference[],
): Promise<{ readonly id: string; readonly lookup: AttributeLookup }[]> {
  const values = new Map<string, Map<string, AttributeValue>>(ids.map((id) => [id, new Map()]));
  for (const { device_id, scope, name, value_json } of await stored(records, ids, needed)) {
    values.get(device_id)?.set(`${scope}/${name}`, JSON.parse(value_json) as AttributeValue);
  }
  return ids.map((id) => ({ id, lookup: (scope, name) => values.get(id)?.get(`${scope}/${name}`) }));
}

async function stored(
  records: Records,
  ids: readonly string[],
  needed: readonly AttributeReference[] | undefined,
): Promise<readonly AttributeRecord[]> {
  if (needed === undefined) return await records.inventory.ofDevices(ids);
  const named = needed.filter((one) => !isDerived(one)).map(({ scope, attribute }) => ({ scope, name: attribute }));
  return await records.inventory.named(ids, named);
}

function describe(
  device: DeviceRecord,
  stored: readonly AttributeRecord[],
  latestDeploymentStatus: string | undefined,
): DeviceInventory {
  const updatedMs = Math.max(device.updated_ms, device.attributes_ms ?? 0);
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
    ...known("system", LATEST_STATUS, latestDeploymentStatus),
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
