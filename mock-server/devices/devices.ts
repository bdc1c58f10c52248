import type { Clock, Random } from "@upkeep/shared/system";
import { sha256 } from "../digest.ts";
import { DomainError, invalid, notFound } from "../errors.ts";
import type {
  AuthSetRecord,
  AuthStatus,
  DeviceRecord,
  DeviceStatus,
  DeviceTier,
  Page,
  Paging,
  Records,
  Storage,
} from "../storage/index.ts";
import { accept, deviceLimit, mayBeAccepted, refreshDevice, setDeviceLimit, setStatus } from "./acceptance.ts";
import { mayBecome, type SettableStatus } from "./auth-status.ts";
import { type BulkResult, changeDevices, decideDevices } from "./bulk-status.ts";
import { type BulkSearch, type BulkTargets, targetIds } from "./bulk-targets.ts";
import type { Contacts } from "./contacts.ts";
import { identityAttributes, identityOf, type JsonValue, parseIdentity } from "./identity.ts";
import { parsePublicKey } from "./public-key.ts";
import { hasCredentials, registerAuthSet, registerDevice } from "./registration.ts";

/** One key of a device, as the management API shows it. */
export interface AuthSet {
  readonly id: string;
  readonly identityData: Readonly<Record<string, JsonValue>>;
  /** PEM. */
  readonly publicKey: string;
  readonly tier: DeviceTier;
  readonly status: AuthStatus;
  readonly createdMs: number;
}

export interface Device {
  readonly id: string;
  readonly identityData: Readonly<Record<string, JsonValue>>;
  readonly status: DeviceStatus;
  readonly tier: DeviceTier;
  readonly createdMs: number;
  readonly updatedMs: number;
  /** When it last got a token. */
  readonly checkInMs?: number;
  /** Its last contact of any kind. */
  readonly lastContactMs?: number;
  /** Accepted, and its last contact was too long ago. */
  readonly overdue: boolean;
  /** By time of creation. */
  readonly authSets: readonly AuthSet[];
}

export interface DeviceFilter {
  readonly statuses?: readonly DeviceStatus[];
  readonly ids?: readonly string[];
}

/** Called in the transaction that deletes a device, for the records of other modules. */
export type BeforeRemoval = (records: Records, deviceId: string, nowMs: number) => Promise<void>;

/** Administration of devices. */
export class Devices {
  readonly #storage: Storage;
  readonly #system: { readonly clock: Clock; readonly random: Random };
  readonly #beforeRemoval: BeforeRemoval;
  readonly #contacts: Contacts;

  constructor(
    storage: Storage,
    system: { readonly clock: Clock; readonly random: Random },
    beforeRemoval: BeforeRemoval,
    contacts: Contacts,
  ) {
    this.#contacts = contacts;
    this.#storage = storage;
    this.#system = system;
    this.#beforeRemoval = beforeRemoval;
  }

  /** Sorted by status, then id. */
  list(filter: DeviceFilter, paging: Paging): Promise<Page<Device>> {
    return this.#storage.read(async (records) => {
      const { items, total } = await records.devices.list(filter, paging);
      const authSets = await records.authSets.ofDevices(items.map(({ id }) => id));
      return { items: items.map((device) => present(device, authSets, this.#contacts)), total };
    });
  }

  /** @throws DomainError (not-found) */
  get(id: string): Promise<Device> {
    return this.#storage.read((records) => find(records, id, this.#contacts));
  }

  /** @param idData The identity data: a JSON object, as text. */
  withIdentity(idData: string): Promise<Device | undefined> {
    const { json } = parseIdentity(idData);
    return this.#storage.read(async (records) => {
      const device = await records.devices.findByIdentity(sha256(json));
      return device === undefined
        ? undefined
        : present(device, await records.authSets.ofDevices([device.id]), this.#contacts);
    });
  }

  count(status?: DeviceStatus): Promise<number> {
    return this.#storage.read(({ devices }) => devices.count(status));
  }

  /** The number of devices of each status and tier; those without devices are left out. */
  countsByTier(): Promise<
    readonly { readonly status: DeviceStatus; readonly tier: DeviceTier; readonly count: number }[]
  > {
    return this.#storage.read(({ devices }) => devices.countsByTier());
  }

  /** @throws DomainError (not-found) */
  authSetStatus(deviceId: string, authSetId: string): Promise<AuthStatus> {
    return this.#storage.read(async (records) => (await findAuthSet(records, deviceId, authSetId)).status);
  }

  /**
   * Accepts, rejects or dismisses a key. The same status again changes nothing.
   * @throws DomainError (not-found); (auth-set-transition); (device-limit-reached)
   */
  setAuthSetStatus(deviceId: string, authSetId: string, status: SettableStatus): Promise<void> {
    return this.#storage.transaction(async (records) => {
      const authSet = await findAuthSet(records, deviceId, authSetId);
      if (authSet.status === status) return;
      if (!mayBecome(authSet.status, status)) {
        throw new DomainError("auth-set-transition", { from: authSet.status, to: status });
      }
      const now = this.#system.clock.now();
      if (status === "accepted") {
        if (!(await mayBeAccepted(records, deviceId))) throw new DomainError("device-limit-reached");
        await accept(records, authSet, now);
      } else await setStatus(records, authSet, status, now);
    });
  }

  /** See {@link decideDevices}. */
  decideAll(targets: BulkTargets, status: "accepted" | "rejected"): Promise<readonly BulkResult[]> {
    return decideDevices(this.#storage, this.#system.clock, targets, status);
  }

  /** Ids of the devices that a search finds now. @throws DomainError (conflict) if they are not as many as expected. */
  found(search: BulkSearch): Promise<readonly string[]> {
    return targetIds(this.#storage, search);
  }

  /**
   * Deletes a key, which revokes its tokens. The last key of a preauthorized device takes the device with it.
   * @throws DomainError (not-found)
   */
  deleteAuthSet(deviceId: string, authSetId: string): Promise<void> {
    return this.#storage.transaction(async (records) => {
      const authSet = await findAuthSet(records, deviceId, authSetId);
      const now = this.#system.clock.now();
      await records.authSets.delete(authSet.id);
      const left = await records.authSets.ofDevices([deviceId]);
      if (left.length === 0 && authSet.status === "preauthorized") {
        await this.#beforeRemoval(records, deviceId, now);
        await records.devices.delete(deviceId);
      } else await refreshDevice(records, deviceId, now);
    });
  }

  /**
   * Revokes all tokens of a key; the device can get a new one.
   * @throws DomainError (not-found)
   */
  revokeTokens(authSetId: string): Promise<void> {
    return this.#storage.transaction(async ({ authSets }) => {
      if ((await authSets.find(authSetId)) === undefined) throw notFound();
      await authSets.revokeTokens(authSetId);
    });
  }

  /**
   * Preauthorizes a device and its key: they are accepted at the first authorisation request.
   * @param options.force Add the key if the device exists.
   * @param options.tier Default: `standard`. The device must ask with the same.
   * @returns The device's id.
   * @throws DomainError (invalid) if the identity or the key is malformed; (device-exists) if the identity is known,
   *   and the key too if it is forced.
   */
  async preauthorize(
    identityData: unknown,
    publicKey: string,
    options: { readonly force?: boolean; readonly tier?: DeviceTier } = {},
  ): Promise<string> {
    const identity = identityOf(identityData);
    const credentials = { publicKey: parsePublicKey(publicKey).pem, tier: options.tier ?? "standard" };
    return this.#storage.transaction(async (records) => {
      const known = await records.devices.findByIdentity(sha256(identity.json));
      if (known !== undefined) {
        const keys = await records.authSets.ofDevices([known.id]);
        if (!options.force || keys.some((key) => hasCredentials(key, credentials))) {
          throw new DomainError("device-exists", { device: await find(records, known.id, this.#contacts) });
        }
      }
      const device = known ?? (await registerDevice(records, this.#system, identity));
      await registerAuthSet(records, this.#system, device.id, credentials, "preauthorized");
      await refreshDevice(records, device.id, this.#system.clock.now());
      return device.id;
    });
  }

  /** The maximum number of accepted devices; `undefined`: no limit. */
  limit(): Promise<number | undefined> {
    return this.#storage.read(deviceLimit);
  }

  /**
   * @param limit `undefined`: no limit. Accepted devices stay accepted.
   * @throws DomainError (invalid)
   */
  async setLimit(limit: number | undefined): Promise<void> {
    if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 0)) {
      throw invalid(`limit: must be a whole number of at least 0, not ${limit}`);
    }
    await this.#storage.transaction((records) => setDeviceLimit(records, limit));
  }

  /**
   * Deletes a device with its keys and inventory; its unfinished device deployments become `decommissioned`. If it
   * requests authorisation again, it is a new device.
   * @throws DomainError (not-found)
   */
  decommission(id: string): Promise<void> {
    return this.#storage.transaction(async (records) => {
      if ((await records.devices.find(id)) === undefined) throw notFound();
      await this.#remove(records, id);
    });
  }

  /**
   * As {@link decommission}, for many devices, in several transactions.
   * @throws DomainError (conflict) if they are not as many as expected; nothing has changed then.
   */
  decommissionAll(targets: BulkTargets): Promise<readonly BulkResult[]> {
    return changeDevices(this.#storage, targets, async (records, id) => {
      await this.#remove(records, id);
      return { result: "changed" };
    });
  }

  async #remove(records: Records, id: string): Promise<void> {
    await this.#beforeRemoval(records, id, this.#system.clock.now());
    await records.devices.delete(id);
  }
}

async function find(records: Records, id: string, contacts: Contacts): Promise<Device> {
  const device = await records.devices.find(id);
  if (device === undefined) throw new DomainError("device-not-found");
  return present(device, await records.authSets.ofDevices([id]), contacts);
}

async function findAuthSet(records: Records, deviceId: string, authSetId: string): Promise<AuthSetRecord> {
  const authSet = await records.authSets.find(authSetId);
  if (authSet?.device_id !== deviceId) throw new DomainError("auth-set-not-found");
  return authSet;
}

function present(device: DeviceRecord, authSets: readonly AuthSetRecord[], contacts: Contacts): Device {
  const identityData = identityAttributes(device.identity_json);
  return {
    id: device.id,
    identityData,
    status: device.status,
    tier: device.tier,
    createdMs: device.created_ms,
    updatedMs: device.updated_ms,
    ...(device.check_in_ms === null ? {} : { checkInMs: device.check_in_ms }),
    ...contacts.of(device),
    authSets: authSets
      .filter(({ device_id }) => device_id === device.id)
      .map((authSet) => ({
        id: authSet.id,
        identityData,
        publicKey: authSet.public_key,
        tier: authSet.tier,
        status: authSet.status,
        createdMs: authSet.created_ms,
      })),
  };
}
