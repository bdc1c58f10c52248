import { invalid, notFound } from "../errors.ts";
import type { DeviceStatus, Page, Paging, Records, Storage } from "../storage/index.ts";

const NAME = /^[A-Za-z0-9_-]{1,256}$/;
/** Ids that are given at once. */
const IDS_MAX = 10_000;

/** What became of a list of devices. */
export interface GroupChange {
  /** How many of them there are. */
  readonly matched: number;
  /** How many of these were changed. */
  readonly updated: number;
}

/** Static groups. A device is in one at most; a group is there while it has a member. */
export class Groups {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Names, sorted. @param status Only of groups with such a member. */
  names(status?: DeviceStatus): Promise<readonly string[]> {
    return this.#storage.read(({ devices }) => devices.groups(status));
  }

  /** Ids of the members, sorted. @throws ServerError (not-found) if there is no such group. */
  members(name: string, paging: Paging): Promise<Page<string>> {
    return this.#storage.read(async ({ devices }) => {
      const { items, total } = await devices.page({ group: name }, paging);
      if (total === 0) throw notFound("group not found");
      return { items: items.map(({ id }) => id), total };
    });
  }

  /** The group that a device is in. @throws ServerError (not-found) if there is no such device. */
  ofDevice(deviceId: string): Promise<string | undefined> {
    return this.#storage.read(async (records) => (await mustExist(records, deviceId)).group_name ?? undefined);
  }

  /**
   * Put a device into a group, out of the one that it was in.
   * @throws ServerError (not-found) if there is no such device; (invalid) if that is no name for a group.
   */
  async assign(deviceId: string, name: string): Promise<void> {
    checkName(name);
    await this.#storage.transaction(async (records) => {
      await mustExist(records, deviceId);
      await records.devices.setGroup([deviceId], name);
    });
  }

  /** As {@link assign}, for many; ids of no device are passed over. @throws ServerError (invalid) */
  async assignAll(deviceIds: readonly string[], name: string): Promise<GroupChange> {
    checkName(name);
    checkIds(deviceIds);
    return this.#storage.transaction(async ({ devices }) => {
      const known = await devices.groupsOf([...new Set(deviceIds)]);
      const others = known.filter(({ group_name }) => group_name !== name).map(({ id }) => id);
      await devices.setGroup(others, name);
      return { matched: known.length, updated: others.length };
    });
  }

  /** @throws ServerError (not-found) if the device is not in that group. */
  remove(deviceId: string, name: string): Promise<void> {
    return this.#storage.transaction(async ({ devices }) => {
      const device = await devices.find(deviceId);
      if (device?.group_name !== name) throw notFound("device not found in the group");
      await devices.setGroup([deviceId], null);
    });
  }

  /** As {@link remove}, for many; those that are not in the group are passed over. @throws ServerError (invalid) */
  async removeAll(deviceIds: readonly string[], name: string): Promise<GroupChange> {
    checkIds(deviceIds);
    return this.#storage.transaction(async ({ devices }) => {
      const known = await devices.groupsOf([...new Set(deviceIds)]);
      const members = known.filter(({ group_name }) => group_name === name).map(({ id }) => id);
      await devices.setGroup(members, null);
      return { matched: members.length, updated: members.length };
    });
  }

  /** Empty a group, which ends it. @throws ServerError (not-found) if there is no such group. */
  delete(name: string): Promise<GroupChange> {
    return this.#storage.transaction(async ({ devices }) => {
      const count = await devices.clearGroup(name);
      if (count === 0) throw notFound("group not found");
      return { matched: count, updated: count };
    });
  }
}

async function mustExist({ devices }: Records, deviceId: string) {
  const device = await devices.find(deviceId);
  if (device === undefined) throw notFound("device not found");
  return device;
}

function checkName(name: string): void {
  if (!NAME.test(name))
    throw invalid(`group: must have 1 to 256 of the characters A-Z a-z 0-9 _ -, not "${name.slice(0, 60)}"`);
}

function checkIds(ids: readonly string[]): void {
  if (ids.length === 0) throw invalid("no device IDs present in the request");
  if (ids.length > IDS_MAX) throw invalid(`at most ${IDS_MAX} device ids at once, not ${ids.length}`);
}
