import { type InventoryAttribute, PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import type { Clock } from "@upkeep/shared/system";
import { invalid, notFound, unauthorized } from "../errors.ts";
import type { Page, Paging, Records, Storage } from "../storage/index.ts";
import { type DeviceInventory, describeDevices } from "./attributes.ts";
import type { AttributeScope } from "./filters/terms.ts";
import { type DeviceSearch, searchDevices } from "./search.ts";

/** How many devices have an attribute. */
export interface AttributeCount {
  readonly scope: AttributeScope;
  readonly name: string;
  readonly count: number;
}

/** How many devices there are, and how many attributes are told of. */
const SAMPLED_DEVICES = 5000;
const NAMES_MAX = 500;

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
      const [inventory] = device === undefined ? [] : await describeDevices(records, [device]);
      if (inventory === undefined) throw notFound("device not found");
      return inventory;
    });
  }

  /** Devices of any status, sorted by status and then id. */
  list(paging: Paging): Promise<Page<DeviceInventory>> {
    return this.#storage.read(async (records) => {
      const { items, total } = await records.devices.list({}, paging);
      return { items: await describeDevices(records, items), total };
    });
  }

  /** Devices of any status that meet all conditions. */
  search(search: DeviceSearch, paging: Paging): Promise<Page<DeviceInventory>> {
    return searchDevices(this.#storage, search, paging);
  }

  /** Forget what a device told. @throws ServerError (not-found) */
  clear(deviceId: string): Promise<void> {
    return this.#storage.transaction(async ({ devices, inventory }) => {
      if ((await devices.find(deviceId)) === undefined) throw notFound("device not found");
      await inventory.clear(deviceId, "inventory");
    });
  }

  /** Which attributes there are, the most frequent first; of a large fleet a sample is looked at. */
  attributeNames(): Promise<readonly AttributeCount[]> {
    return this.#storage.read(async (records) => {
      const stored: AttributeCount[] = await records.inventory.names(SAMPLED_DEVICES, NAMES_MAX);
      const count = Math.min(await records.devices.count(undefined), SAMPLED_DEVICES);
      const own = [
        ["identity", "status"],
        ["system", "created_ts"],
        ["system", "updated_ts"],
      ] as const;
      const everywhere = count === 0 ? [] : own.map(([scope, name]) => ({ scope, name, count }));
      return [...everywhere, ...stored].sort((a, b) => b.count - a.count).slice(0, NAMES_MAX);
    });
  }
}
