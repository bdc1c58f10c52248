import type { ReadOptions } from "@upkeep/shared/artifact";
import type { Logger } from "@upkeep/shared/logging";
import { isSystemError, type System, type SystemError } from "@upkeep/shared/system";
import type { LoadedConfig } from "../config/load.ts";
import { type Holder, holdDatastore } from "../daemon/lock.ts";
import type { Environment } from "../daemon/notify.ts";
import { readDeviceType } from "../device/device-type.ts";
import { missingMount } from "../device/missing-mount.ts";
import { AgentError } from "../errors.ts";
import { DeviceStore, type Store } from "../update/store.ts";
import { deviceTypeFile } from "./from-config.ts";
import type { PartMaker } from "./parts.ts";

/** All that an agent gets from outside. A simulation exchanges the door, and nothing else. */
export interface Door {
  readonly system: System;
  readonly environment: Environment;
  /** The id of the agent's own process. */
  readonly pid: number;
  /** Those of Node when absent. They work in threads, whose time a simulation does not control. */
  readonly decompressors?: NonNullable<ReadOptions["decompressors"]>;
}

/** What every command starts from: the door, the configuration and a log. */
export interface AgentContext extends Door, LoadedConfig {
  readonly log: Logger;
  readonly parts: PartMaker;
}

/** A device whose data directory this program holds: no other program changes it meanwhile. */
export interface HeldDevice extends AgentContext {
  readonly store: Store;
  readonly deviceType: () => Promise<string>;
}

function unusable(datastore: string, error: SystemError): AgentError {
  return new AgentError("datastore-unusable", `cannot use the data directory ${datastore}: ${error.message}`, {
    cause: error,
  });
}

/** How a command deals with a data directory that cannot be used now. */
interface Patience {
  /** The disk may be repaired later: until then the command runs without the directory. */
  readonly patient?: boolean;
}

/** Where no lock can be written, nothing else can be written either, so no other program can do harm. */
async function holdIfPossible(
  { system, log, paths }: AgentContext,
  self: Holder,
  patient: boolean,
): Promise<() => Promise<void>> {
  try {
    return await holdDatastore(system.files, paths, self);
  } catch (error) {
    if (!patient || !(error instanceof AgentError) || error.code !== "datastore-unlockable") throw error;
    log.error(error.message, { code: error.code });
    return async () => undefined;
  }
}

/**
 * Runs `action` while this program holds the device's data directory.
 * @param command Its name, for the message that other programs get meanwhile.
 * @throws AgentError `datastore-not-mounted`, `datastore-held`, `datastore-unlockable` or `datastore-unusable`; and what
 *   `action` throws.
 */
export async function withDevice<T>(
  context: AgentContext,
  command: string,
  action: (device: HeldDevice) => Promise<T>,
  { patient = false }: Patience = {},
): Promise<T> {
  const { system, log, parts, pid } = context;
  const { datastore, root } = context.paths;
  const mountPoint = await missingMount(system.files, root, datastore);
  if (mountPoint !== undefined) {
    throw new AgentError(
      "datastore-not-mounted",
      `${mountPoint}, where the data directory ${datastore} lies, is listed in /etc/fstab and not mounted: nothing is written there, and no key is made, as the server would take it for a new device`,
      { retryable: true },
    );
  }
  const release = await parts.make("lock", () => holdIfPossible(context, { pid, command }, patient));
  try {
    const store = await parts.make("store", () => DeviceStore.open(system.files, datastore, log));
    if (store.unreadable !== undefined && !patient) throw unusable(datastore, store.unreadable);
    const typeFile = deviceTypeFile(context);
    const deviceType = await parts.make("deviceType", () => async () => await readDeviceType(system.files, typeFile));
    return await action({ ...context, store, deviceType });
  } finally {
    await release();
  }
}

/** The device's store, for display: a program that works with the device meanwhile is not disturbed. */
export async function lookAtStore({
  system,
  paths,
  log,
}: Pick<AgentContext, "system" | "paths" | "log">): Promise<DeviceStore> {
  try {
    return await DeviceStore.look(system.files, paths.datastore, log);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw unusable(paths.datastore, error);
  }
}
