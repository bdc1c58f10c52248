import { given } from "@upkeep/shared/given";
import type { Clock } from "@upkeep/shared/system";
import { DomainError, unauthorized } from "../errors.ts";
import type { AttributeRecord, Page, Paging, Records, Storage } from "../storage/index.ts";
import { type DeviceInventory, describeDevices } from "./attributes.ts";
import { countScanned } from "./filters/scan.ts";
import type { AttributeScope } from "./filters/terms.ts";
import { type InventoryReport, parseReport, withinLimit } from "./inventory-report.ts";
import { type DeviceSearch, searchDevices } from "./search.ts";
import { type AttributeValues, type CountedAttribute, countValues } from "./values.ts";

/** The number of devices with an attribute. */
export interface AttributeCount {
  readonly scope: AttributeScope;
  readonly name: string;
  readonly count: number;
}

/** Limits of {@link Inventory.attributeNames}: sampled devices and returned names. */
const SAMPLED_DEVICES = 5000;
const NAMES_MAX = 500;

/** The attribute of the scope `system` that lists rejected attributes of a device, and the length of that list. */
const LEFT_OUT = "inventory_left_out";
const NOTED_MAX = 20;

/** The attributes of devices. */
export class Inventory {
  readonly #storage: Storage;
  readonly #clock: Clock;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /**
   * Replaces the reported attributes. Invalid attributes are left out.
   * @returns The attributes left out, with the reasons.
   * @throws DomainError (unauthorized) if the device is gone.
   */
  replace(deviceId: string, attributes: readonly unknown[]): Promise<readonly string[]> {
    const report = withinLimit(parseReport(attributes), new Set());
    return this.#storage.deviceTransaction(deviceId, async (records) => {
      await mustExist(records, deviceId);
      const outdated = report.leftOut.length === 0 ? ({ scope: "system", name: LEFT_OUT } as const) : undefined;
      const reported = await this.#reported(records, deviceId, report);
      await records.inventory.replace(deviceId, "inventory", reported, outdated);
      return report.leftOut;
    });
  }

  /**
   * Adds reported attributes, replacing those of the same name. Invalid attributes are left out.
   * @returns The attributes left out, with the reasons.
   * @throws DomainError (unauthorized) if the device is gone.
   */
  merge(deviceId: string, attributes: readonly unknown[]): Promise<readonly string[]> {
    const reported = parseReport(attributes);
    return this.#storage.deviceTransaction(deviceId, async (records) => {
      await mustExist(records, deviceId);
      const report = withinLimit(reported, new Set(await records.inventory.namesOf(deviceId, "inventory")));
      await records.inventory.put(await this.#reported(records, deviceId, report));
      return report.leftOut;
    });
  }

  /** Records a sign of life. @returns The attributes to write. */
  async #reported(
    records: Records,
    deviceId: string,
    { kept, leftOut }: InventoryReport,
  ): Promise<readonly AttributeRecord[]> {
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
    return [...attributes, ...note];
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

  /**
   * Devices of any status that meet all conditions.
   * @param signal Ends the search, which then rejects with the reason.
   */
  search(search: DeviceSearch, paging: Paging, signal?: AbortSignal): Promise<Page<DeviceInventory>> {
    return searchDevices(this.#storage, search, paging, given({ signal }));
  }

  /** The number of devices of any status that meet all conditions. @param signal As of {@link search}. */
  count(search: Pick<DeviceSearch, "terms" | "ids" | "text">, signal?: AbortSignal): Promise<number> {
    return countScanned(this.#storage, search, given({ signal }));
  }

  /** See {@link countValues}. @param signal As of {@link search}. */
  values(attribute: CountedAttribute, prefix: string, signal?: AbortSignal): Promise<AttributeValues> {
    return countValues(this.#storage, attribute, prefix, signal);
  }

  /** Sets an attribute of the scope `system`. An unknown device is ignored. */
  note(deviceId: string, name: string, value: string): Promise<void> {
    return this.#storage.deviceTransaction(deviceId, async ({ devices, inventory }) => {
      if ((await devices.find(deviceId)) === undefined) return;
      const attribute = { device_id: deviceId, scope: "system", name, value_json: JSON.stringify(value) } as const;
      await inventory.put([{ ...attribute, description: null, updated_ms: this.#clock.now() }]);
    });
  }

  /** Removes an attribute of the scope `system`. */
  removeNote(deviceId: string, name: string): Promise<void> {
    return this.#storage.deviceTransaction(deviceId, ({ inventory }) => inventory.remove(deviceId, "system", name));
  }

  /** Deletes the reported attributes of a device. @throws DomainError (not-found) */
  clear(deviceId: string): Promise<void> {
    return this.#storage.deviceTransaction(deviceId, async ({ devices, inventory }) => {
      if ((await devices.find(deviceId)) === undefined) throw new DomainError("device-not-found");
      await inventory.clear(deviceId, "inventory");
      await inventory.clear(deviceId, "system");
    });
  }

  /** The names of attributes, the most frequent first; a sample of a large fleet. */
  attributeNames(): Promise<readonly AttributeCount[]> {
    return this.#storage.read(async (records) => {
      const stored: AttributeCount[] = await records.inventory.names(SAMPLED_DEVICES, NAMES_MAX);
      const count = Math.min(await records.devices.count(undefined), SAMPLED_DEVICES);
      const own = [
        ["identity", "status"],
        ["system", "created_ts"],
        ["system", "tier"],
        ["system", "updated_ts"],
      ] as const;
      const everywhere = count === 0 ? [] : own.map(([scope, name]) => ({ scope, name, count }));
      return [...everywhere, ...stored].sort((a, b) => b.count - a.count).slice(0, NAMES_MAX);
    });
  }
}

/** @throws DomainError (unauthorized) */
async function mustExist({ devices }: Records, deviceId: string): Promise<void> {
  if ((await devices.find(deviceId)) === undefined) throw unauthorized();
}
