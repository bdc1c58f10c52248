import { type InventoryAttribute, PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import type { Clock } from "@upkeep/shared/system";
import { invalid, notFound, unauthorized } from "../errors.ts";
import type { AttributeRecord, DeviceRecord, Page, Paging, Records, Storage } from "../storage/index.ts";

/** Where an attribute comes from: the device's identity, what it tells, or what the server knows. */
export type AttributeScope = "identity" | "inventory" | "system";

export interface Attribute {
  readonly scope: AttributeScope;
  readonly name: string;
  readonly value: InventoryAttribute["value"];
  readonly description?: string;
  readonly updatedMs: number;
}

export interface DeviceInventory {
  readonly id: string;
  /** By scope, then name. */
  readonly attributes: readonly Attribute[];
  /** When it or one of its attributes last changed. */
  readonly updatedMs: number;
}

/** What devices tell of themselves, with what the server knows of them. */
export class Inventory {
  readonly #storage: Storage;
  readonly #clock: Clock;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /**
   * Put these in place of all that the device told before.
   * @throws ServerError (invalid) if there are too many; (unauthorized) if the device is gone.
   */
  replace(deviceId: string, attributes: readonly InventoryAttribute[]): Promise<void> {
    return this.#storage.transaction(async (records) => {
      await records.inventory.clear(deviceId, "inventory");
      await this.#put(records, deviceId, attributes);
    });
  }

  /**
   * Add these to what the device told before, in place of those of the same name.
   * @throws ServerError (invalid) if that makes too many; (unauthorized) if the device is gone.
   */
  merge(deviceId: string, attributes: readonly InventoryAttribute[]): Promise<void> {
    return this.#storage.transaction((records) => this.#put(records, deviceId, attributes));
  }

  async #put(records: Records, deviceId: string, attributes: readonly InventoryAttribute[]): Promise<void> {
    if ((await records.devices.find(deviceId)) === undefined) throw unauthorized();
    const now = this.#clock.now();
    // Of a name that comes twice the last counts.
    const byName = new Map(attributes.map((attribute) => [attribute.name, attribute]));
    await records.inventory.put(
      [...byName.values()].map(({ name, value, description }) => ({
        device_id: deviceId,
        scope: "inventory",
        name,
        value_json: JSON.stringify(value),
        description: description ?? null,
        updated_ms: now,
      })),
    );
    const count = await records.inventory.count(deviceId, "inventory");
    if (count > PROTOCOL_LIMITS.inventoryAttributesMax) {
      throw invalid(
        `the number of attributes in the scope is above the limit: ${count}, at most ${PROTOCOL_LIMITS.inventoryAttributesMax}`,
      );
    }
  }

  /** @throws ServerError (not-found) */
  get(deviceId: string): Promise<DeviceInventory> {
    return this.#storage.read(async (records) => {
      const device = await records.devices.find(deviceId);
      if (device === undefined) throw notFound("device not found");
      return present(device, await records.inventory.ofDevices([deviceId]));
    });
  }

  /** Devices of any status, sorted by status and then id. */
  list(paging: Paging): Promise<Page<DeviceInventory>> {
    return this.#storage.read(async (records) => {
      const { items, total } = await records.devices.list({}, paging);
      const attributes = await records.inventory.ofDevices(items.map(({ id }) => id));
      return { items: items.map((device) => present(device, attributes)), total };
    });
  }
}

function present(device: DeviceRecord, attributes: readonly AttributeRecord[]): DeviceInventory {
  const told = attributes.filter(({ device_id }) => device_id === device.id);
  const own = told.map(
    (attribute): Attribute => ({
      scope: attribute.scope,
      name: attribute.name,
      value: JSON.parse(attribute.value_json) as Attribute["value"],
      ...(attribute.description === null ? {} : { description: attribute.description }),
      updatedMs: attribute.updated_ms,
    }),
  );
  const updatedMs = Math.max(device.updated_ms, ...told.map(({ updated_ms }) => updated_ms));
  const known = (scope: AttributeScope, name: string, value: string): Attribute => ({
    scope,
    name,
    value,
    updatedMs: device.updated_ms,
  });
  const system = [
    known("identity", "status", device.status),
    known("system", "created_ts", new Date(device.created_ms).toISOString()),
    known("system", "updated_ts", new Date(updatedMs).toISOString()),
    ...(device.check_in_ms === null
      ? []
      : [known("system", "check_in_time", new Date(device.check_in_ms).toISOString())]),
  ];
  const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  const all = [...own, ...system].sort((a, b) => order(a.scope, b.scope) || order(a.name, b.name));
  return { id: device.id, attributes: all, updatedMs };
}
