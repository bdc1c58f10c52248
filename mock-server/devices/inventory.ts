import type { Clock } from "@upkeep/shared/system";
import { DomainError, unauthorized } from "../errors.ts";
import type { AttributeRecord, Page, Paging, Records, Storage } from "../storage/index.ts";
import { type DeviceInventory, describeDevices } from "./attributes.ts";
import type { AttributeScope } from "./filters/terms.ts";
import { type DeviceSearch, searchDevices } from "./search.ts";
import { bounded, sift, type Told } from "./told.ts";

/** How many devices have an attribute. */
export interface AttributeCount {
  readonly scope: AttributeScope;
  readonly name: string;
  readonly count: number;
}

/** How many devices there are, and how many attributes are told of. */
const SAMPLED_DEVICES = 5000;
const NAMES_MAX = 500;

/** The attribute of the scope system that tells what was left out of a device's inventory; and of how much it tells. */
const LEFT_OUT = "inventory_left_out";
const NOTED_MAX = 20;

/** What devices tell of themselves, with what the server knows of them. */
export class Inventory {
  readonly #storage: Storage;
  readonly #clock: Clock;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /**
   * Put these in place of all that the device told before. What cannot be kept is left out.
   * @returns What was left out, and why.
   * @throws DomainError (unauthorized) if the device is gone.
   */
  replace(deviceId: string, attributes: readonly unknown[]): Promise<readonly string[]> {
    const told = bounded(sift(attributes), new Set());
    return this.#storage.transaction(async (records) => {
      await mustBeThere(records, deviceId);
      await records.inventory.clear(deviceId, "inventory");
      if (told.leftOut.length === 0) await records.inventory.remove(deviceId, "system", LEFT_OUT);
      await this.#put(records, deviceId, told);
      return told.leftOut;
    });
  }

  /**
   * Add these to what the device told before, in place of those of the same name. What cannot be kept is left out.
   * @returns What was left out, and why.
   * @throws DomainError (unauthorized) if the device is gone.
   */
  merge(deviceId: string, attributes: readonly unknown[]): Promise<readonly string[]> {
    const sifted = sift(attributes);
    return this.#storage.transaction(async (records) => {
      await mustBeThere(records, deviceId);
      const told = bounded(sifted, new Set(await records.inventory.namesOf(deviceId, "inventory")));
      await this.#put(records, deviceId, told);
      return told.leftOut;
    });
  }

  async #put(records: Records, deviceId: string, { kept, leftOut }: Told): Promise<void> {
    const now = this.#clock.now();
    await records.silence.touch(deviceId, now);
    const record = (scope: AttributeRecord["scope"], name: string, value: unknown): AttributeRecord => ({
      device_id: deviceId,
      scope,
      name,
      value_json: JSON.stringify(value),
      description: null,
      updated_ms: now,
    });
    const attributes = [...kept.values()].map(({ name, value, description }) => ({
      ...record("inventory", name, value),
      description: description ?? null,
    }));
    const note = leftOut.length === 0 ? [] : [record("system", LEFT_OUT, leftOut.slice(0, NOTED_MAX))];
    await records.inventory.put([...attributes, ...note]);
  }

  /** @throws DomainError (not-found) */
  get(deviceId: string): Promise<DeviceInventory> {
    return this.#storage.read(async (records) => {
      const device = await records.devices.find(deviceId);
      const [inventory] = device === undefined ? [] : await describeDevices(records, [device]);
      if (inventory === undefined) throw new DomainError("device-not-found");
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

  /** Note something of a device in the scope `system`, in place of what was noted under that name. */
  note(deviceId: string, name: string, value: string): Promise<void> {
    return this.#storage.transaction(async ({ devices, inventory }) => {
      if ((await devices.find(deviceId)) === undefined) return;
      const attribute = { device_id: deviceId, scope: "system", name, value_json: JSON.stringify(value) } as const;
      await inventory.put([{ ...attribute, description: null, updated_ms: this.#clock.now() }]);
    });
  }

  /** Forget what a device told. @throws DomainError (not-found) */
  clear(deviceId: string): Promise<void> {
    return this.#storage.transaction(async ({ devices, inventory }) => {
      if ((await devices.find(deviceId)) === undefined) throw new DomainError("device-not-found");
      await inventory.clear(deviceId, "inventory");
      await inventory.clear(deviceId, "system");
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

/** @throws DomainError (unauthorized) */
async function mustBeThere({ devices }: Records, deviceId: string): Promise<void> {
  if ((await devices.find(deviceId)) === undefined) throw unauthorized();
}
