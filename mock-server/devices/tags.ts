import type { Clock } from "@upkeep/shared/system";
import { sha256 } from "../digest.ts";
import { DomainError, invalid } from "../errors.ts";
import type { Storage } from "../storage/index.ts";

/** A tag of a device. */
export interface Tag {
  readonly name: string;
  readonly value: string;
  readonly description?: string;
}

const TAGS_MAX = 20;
const NAME_MAX = 1024;
const TEXT_MAX = 4096;

/** Tags of devices: attributes of the scope `tags`. */
export class Tags {
  readonly #storage: Storage;
  readonly #clock: Clock;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** The ETag for {@link put}; `undefined` if the device never had a tag, or does not exist. */
  etag(deviceId: string): Promise<string | undefined> {
    return this.#storage.read(async ({ devices }) => (await devices.find(deviceId))?.tags_etag ?? undefined);
  }

  /**
   * Sets tags of a device: in place of all its tags, or beside tags with other names. An unknown device is ignored.
   * @param how.ifMatch The ETag that the current tags must have.
   * @returns The new ETag.
   * @throws DomainError (invalid) if one is malformed or they become too many; (etag-mismatch).
   */
  async put(
    deviceId: string,
    tags: readonly Tag[],
    how: { readonly replace: boolean; readonly ifMatch?: string },
  ): Promise<string | undefined> {
    checkTags(tags);
    return this.#storage.deviceTransaction(deviceId, async ({ devices, inventory }) => {
      const device = await devices.find(deviceId);
      if (device === undefined) return undefined;
      if (how.ifMatch !== undefined && how.ifMatch !== device.tags_etag) throw new DomainError("etag-mismatch");
      const records = tags.map(({ name, value, description }) => ({
        device_id: deviceId,
        scope: "tags" as const,
        name,
        value_json: JSON.stringify(value),
        description: description ?? null,
        updated_ms: this.#clock.now(),
      }));
      if (how.replace) await inventory.replace(deviceId, "tags", records);
      else await inventory.put(records);
      const all = (await inventory.ofDevices([deviceId])).filter(({ scope }) => scope === "tags");
      if (all.length > TAGS_MAX) throw invalid(`a device has at most ${TAGS_MAX} tags, not ${all.length}`);
      const etag = sha256(JSON.stringify([device.tags_etag, all])).slice(0, 32);
      await devices.setTagsEtag(deviceId, etag);
      return etag;
    });
  }
}

function checkTags(tags: readonly Tag[]): void {
  const names = new Set<string>();
  for (const [index, { name, value, description }] of tags.entries()) {
    if (name === "" || name.length > NAME_MAX)
      throw invalid(`tags.${index}.name: must have 1 to ${NAME_MAX} characters`);
    if (names.has(name)) throw invalid(`tags.${index}.name: "${name.slice(0, 60)}" is there twice`);
    names.add(name);
    if (value.length > TEXT_MAX) throw invalid(`tags.${index}.value: must have at most ${TEXT_MAX} characters`);
    if ((description?.length ?? 0) > TEXT_MAX) {
      throw invalid(`tags.${index}.description: must have at most ${TEXT_MAX} characters`);
    }
  }
}
