import type { Clock } from "@upkeep/shared/system";
import { DomainError, invalid } from "../errors.ts";
import { ONE_TRANSACTION_MAX } from "../storage/batches.ts";
import type { DeviceStatus, Page, Paging, Records, Storage } from "../storage/index.ts";
import { type BulkTargets, targetIds } from "./bulk-targets.ts";
import { removeMembers } from "./group-ends.ts";

const NAME = /^[A-Za-z0-9_-]{1,256}$/;
/** The maximum number of ids in a request. */
const IDS_MAX = 10_000;
/** Devices per transaction. */
const BATCH = 250;

/** The result of a change of a list of devices. */
export interface GroupChange {
  /** The number of devices found. */
  readonly matched: number;
  /** The number of devices changed. */
  readonly updated: number;
}

/** Static groups. A device is in at most one; a group exists while it has a member. */
export class Groups {
  readonly #storage: Storage;
  readonly #clock: Clock;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** Names, sorted. @param status Only of groups with such a member. */
  names(status?: DeviceStatus): Promise<readonly string[]> {
    return this.#storage.read(({ devices }) => devices.groups(status));
  }

  /** Ids of the members, sorted. @throws DomainError (not-found) if there is no such group. */
  members(name: string, paging: Paging): Promise<Page<string>> {
    return this.#storage.read(async ({ devices }) => {
      const { items, total } = await devices.page({ group: name }, paging);
      if (total === 0 || (await devices.isEndedGroup(name))) throw new DomainError("group-not-found");
      return { items: items.map(({ id }) => id), total };
    });
  }

  /** The group that a device is in. @throws DomainError (not-found) if there is no such device. */
  ofDevice(deviceId: string): Promise<string | undefined> {
    return this.#storage.read(async (records) => {
      const { group_name } = await mustExist(records, deviceId);
      return group_name === null || (await records.devices.isEndedGroup(group_name)) ? undefined : group_name;
    });
  }

  /**
   * Moves a device into a group.
   * @throws DomainError (not-found) if there is no such device; (invalid) if the name is malformed;
   *   (group-being-deleted)
   */
  async assign(deviceId: string, name: string): Promise<void> {
    checkName(name);
    await this.#storage.transaction(async (records) => {
      await mustExist(records, deviceId);
      await mustBeFree(records, name);
      await records.devices.setGroup([deviceId], name);
    });
  }

  /** As {@link assign}, for many devices; unknown ids are ignored. @throws DomainError (invalid); (conflict) */
  async assignAll(deviceIds: readonly string[], name: string): Promise<GroupChange> {
    checkIds(deviceIds);
    return this.#assign(deviceIds, name);
  }

  /**
   * As {@link assignAll}, for a list of any length or all that a search finds.
   * @param name `undefined`: out of their groups.
   * @throws DomainError (invalid); (conflict) if they are not as many as expected.
   */
  async assignTargets(targets: BulkTargets, name: string | undefined): Promise<GroupChange> {
    if (name !== undefined) return this.#assign(await targetIds(this.#storage, targets), name);
    return this.#inPortions(await targetIds(this.#storage, targets), async ({ devices }, some) => {
      const known = await devices.groupsOf(some);
      const members = known.filter(({ group_name }) => group_name !== null).map(({ id }) => id);
      await devices.setGroup(members, null);
      return { matched: known.length, updated: members.length };
    });
  }

  async #assign(deviceIds: readonly string[], name: string): Promise<GroupChange> {
    checkName(name);
    return this.#inPortions(deviceIds, async (records, some) => {
      await mustBeFree(records, name);
      const known = await records.devices.groupsOf(some);
      const others = known.filter(({ group_name }) => group_name !== name).map(({ id }) => id);
      await records.devices.setGroup(others, name);
      return { matched: known.length, updated: others.length };
    });
  }

  /** @throws DomainError (not-found) if the device is not in that group. */
  remove(deviceId: string, name: string): Promise<void> {
    return this.#storage.transaction(async ({ devices }) => {
      const device = await devices.find(deviceId);
      if (device?.group_name !== name) throw new DomainError("device-not-in-group");
      await devices.setGroup([deviceId], null);
    });
  }

  /** As {@link remove}, for many devices; devices outside the group are ignored. @throws DomainError (invalid) */
  async removeAll(deviceIds: readonly string[], name: string): Promise<GroupChange> {
    checkIds(deviceIds);
    return this.#inPortions(deviceIds, async ({ devices }, some) => {
      const known = await devices.groupsOf(some);
      const members = known.filter(({ group_name }) => group_name === name).map(({ id }) => id);
      await devices.setGroup(members, null);
      return { matched: members.length, updated: members.length };
    });
  }

  /**
   * Deletes a group, at once for all requests; when this resolves, it is removed from all its members.
   * @throws DomainError (not-found) if there is no such group.
   */
  async delete(name: string): Promise<GroupChange> {
    const cleared = await this.#storage.transaction(async ({ devices }) => {
      if (await devices.isEndedGroup(name)) return 0;
      if ((await devices.nthAfter({ group: name }, "", ONE_TRANSACTION_MAX + 1)) === undefined)
        return devices.clearGroup(name);
      return devices.endGroup(name);
    });
    if (cleared === 0) throw new DomainError("group-not-found");
    const count = cleared ?? (await removeMembers(this.#storage, this.#clock, name));
    return { matched: count, updated: count };
  }

  /** One transaction per portion. An interrupted request can be repeated: completed devices do not change again. */
  async #inPortions(
    deviceIds: readonly string[],
    change: (records: Records, some: readonly string[]) => Promise<GroupChange>,
  ): Promise<GroupChange> {
    const ids = [...new Set(deviceIds)];
    let [matched, updated] = [0, 0];
    for (let at = 0; at < ids.length; at += BATCH) {
      const some = ids.slice(at, at + BATCH);
      const changed = await this.#storage.transaction((records) => change(records, some));
      matched += changed.matched;
      updated += changed.updated;
    }
    return { matched, updated };
  }
}

async function mustExist({ devices }: Records, deviceId: string) {
  const device = await devices.find(deviceId);
  if (device === undefined) throw new DomainError("device-not-found");
  return device;
}

/** @throws DomainError (conflict) */
async function mustBeFree({ devices }: Records, group: string): Promise<void> {
  if (await devices.isEndedGroup(group)) {
    throw new DomainError("group-being-deleted", { name: group });
  }
}

function checkName(name: string): void {
  if (!NAME.test(name))
    throw invalid(`group: must have 1 to 256 of the characters A-Z a-z 0-9 _ -, not "${name.slice(0, 60)}"`);
}

function checkIds(ids: readonly string[]): void {
  if (ids.length === 0) throw invalid("no device IDs present in the request");
  if (ids.length > IDS_MAX) throw invalid(`at most ${IDS_MAX} device ids at once, not ${ids.length}`);
}
