import type { Logger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import {
  Artifacts,
  Configurations,
  DeploymentInsight,
  Deployments,
  DeviceSide,
  decommissionDevice,
  Releases,
  Uptime,
} from "./deployments/index.ts";
import {
  Contacts,
  DeviceAuthentication,
  type DeviceCryptography,
  Devices,
  Groups,
  Inventory,
  REAL_CRYPTOGRAPHY,
  SavedFilters,
  Tags,
} from "./devices/index.ts";
import { Events } from "./events/index.ts";
import { Snapshots, Storage, type StorageLocation, WriteCheck } from "./storage/index.ts";
import { keptSecret } from "./storage/kept-secret.ts";
import { PASSWORD_WORK, Users } from "./users/index.ts";

export * from "./deployments/index.ts";
export * from "./devices/index.ts";
export * from "./events/index.ts";
export type {
  ArtifactFilter,
  ArtifactIndex,
  ArtifactRecord,
  ArtifactSort,
  AuthStatus,
  DeploymentKind,
  DeviceStatus,
  DeviceTier,
  NoIndex,
  Page,
  Paging,
  PayloadFileRecord,
  PayloadRecord,
  ReleaseFilter,
  ReleaseSort,
  Snapshot,
  SortOrder,
  Statistics,
  StorageLocation,
  TextFilter,
} from "./storage/index.ts";
export { AUTH_STATUSES, DEVICE_STATUSES, DEVICE_TIERS } from "./storage/index.ts";
export type {
  AccessToken,
  Account,
  AccountChange,
  AccountFilter,
  KeptSettings,
  NewAdministrator,
  Permission,
  UserPrincipal,
  UserRole,
} from "./users/index.ts";
export {
  DEFAULT_ROLE,
  mayDo,
  mustBeAllowed,
  ROLE_NAMES,
  referenceNameOf,
  roleNamed,
  USER_ROLES,
} from "./users/index.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const TOKEN_LIFE_MS = 7 * DAY_MS;

export interface DomainOptions {
  /** Accept every device at once, unless it was rejected. For development. Default: false. */
  readonly autoAccept?: boolean;
  /** The lifetime of device tokens. Default: seven days. */
  readonly deviceTokenLifeMs?: number;
  /** Default: the real one. */
  readonly cryptography?: DeviceCryptography;
  /** The lifetime of user tokens. Default: seven days. */
  readonly userTokenLifeMs?: number;
  /** The N of scrypt for new password hashes: a power of two. Less is for tests only. Default: 65,536. */
  readonly passwordWork?: number;
  /**
   * How long a download may take that does not pass through this server, because devices read from the store. Silence
   * counts only after that. Default: 0.
   */
  readonly unseenDownloadMs?: number;
  /** An accepted device without any contact for longer is overdue. Default: a day. */
  readonly overdueAfterMs?: number;
}

/**
 * The operations of the server, independent of HTTP. Every call is one transaction: durable when the call resolves,
 * without effect when it rejects. Refusals are DomainErrors.
 */
export interface Domain {
  /** Authorises devices and verifies their tokens. */
  readonly authentication: DeviceAuthentication;
  readonly devices: Devices;
  readonly inventory: Inventory;
  /** When devices were last heard from. */
  readonly contacts: Contacts;
  /** Static groups. */
  readonly groups: Groups;
  /** Dynamic groups. */
  readonly filters: SavedFilters;
  readonly tags: Tags;
  readonly users: Users;
  readonly artifacts: Artifacts;
  readonly deployments: Deployments;
  /** What deployments would do, do, and did. */
  readonly insight: DeploymentInsight;
  readonly releases: Releases;
  readonly configurations: Configurations;
  /** The log of all changes. */
  readonly events: Events;
  /** Takes and restores the records, for tests of programs that use the server. */
  readonly snapshots: Snapshots;
  /** The operations of devices on deployments: polls, reports, logs. */
  readonly deviceSide: DeviceSide;
  /** Tests whether the records can be written. */
  readonly writeCheck: WriteCheck;
  /** The number of transactions that the database gave up, because of a deadlock for instance, and that were repeated. */
  readonly repeatedTransactions: () => number;
  /** 32 bytes for signing download links; persistent. */
  readonly linkSecret: Uint8Array;
  /** Waits for running work. */
  close(): Promise<void>;
}

/** @param setup.storage A directory must exist; the records are one file in it. */
export async function openDomain(setup: {
  readonly system: Pick<System, "clock" | "random" | "files">;
  readonly storage: StorageLocation;
  readonly options?: DomainOptions;
  /** Told of faults of the storage that no request sees. */
  readonly logger?: Pick<Logger, "error">;
}): Promise<Domain> {
  const { system, options = {}, logger } = setup;
  const storage = await Storage.open(setup.storage, system.files, logger);
  try {
    const uptime = new Uptime(system);
    const unseenDownloadMs = options.unseenDownloadMs ?? 0;
    const contacts = new Contacts(storage, system.clock, options.overdueAfterMs ?? DAY_MS);
    const deployments = new Deployments(storage, system, uptime, unseenDownloadMs);
    if (!("url" in setup.storage)) await deployments.abandonAll();
    const secret = (name: string) => keptSecret(storage, system.random, name);
    return {
      authentication: new DeviceAuthentication(
        storage,
        system,
        await secret("device-tokens"),
        {
          autoAccept: options.autoAccept ?? false,
          tokenLifeMs: options.deviceTokenLifeMs ?? TOKEN_LIFE_MS,
          cryptography: options.cryptography ?? REAL_CRYPTOGRAPHY,
        },
        contacts,
      ),
      contacts,
      devices: new Devices(storage, system, decommissionDevice, contacts),
      inventory: new Inventory(storage, system.clock),
      groups: new Groups(storage, system.clock),
      filters: new SavedFilters(storage, system),
      tags: new Tags(storage, system.clock),
      users: new Users(storage, system, await secret("user-tokens"), {
        tokenLifeMs: options.userTokenLifeMs ?? TOKEN_LIFE_MS,
        passwordWork: options.passwordWork ?? PASSWORD_WORK,
      }),
      artifacts: new Artifacts(storage, system.clock),
      deployments,
      insight: new DeploymentInsight(storage, system.clock, contacts),
      releases: new Releases(storage, system.clock),
      configurations: new Configurations(storage, system),
      events: new Events(storage),
      snapshots: new Snapshots(storage),
      deviceSide: new DeviceSide(storage, system.clock, uptime, unseenDownloadMs),
      writeCheck: new WriteCheck(storage, system.clock),
      repeatedTransactions: () => storage.retries,
      linkSecret: await secret("download-links"),
      close: async () => {
        try {
          await contacts.flush();
        } catch (error) {
          logger?.error("the last contacts of devices could not be recorded", { error });
        }
        await storage.close();
      },
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}
