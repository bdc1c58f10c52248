import { given } from "@upkeep/shared/given";
import { createLogger, type Logger } from "@upkeep/shared/logging";
import { isSystemError, readTextFile, type System, type SystemError, type TlsOptions } from "@upkeep/shared/system";
import { deviceTypeFile } from "../compose/from-config.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { type Holder, holdDatastore } from "../daemon/lock.ts";
import { readDeviceType } from "../device/device-type.ts";
import { AgentError } from "../errors.ts";
import { linuxSystem } from "../system/index.ts";
import { type Audience, audienceOfErrors, writeRawError } from "../system/terminal.ts";
import { DeviceStore } from "../update/store.ts";
import { type Globals, pathOptions } from "./globals.ts";

const PEM_BYTES_MAX = 1024 * 1024;

const FORMATS = { terminal: "human", journal: "journal", other: "json" } as const satisfies Record<Audience, string>;

/** What all commands begin with: the door, the configuration and a log. */
export interface Base extends LoadedConfig {
  readonly system: System;
  readonly log: Logger;
}

/** A command that works with the device, and with nobody else's interference. */
export interface Agent extends Base {
  readonly store: DeviceStore;
  readonly deviceType: () => Promise<string>;
}

/**
 * @param quiet Log only from warnings on, where the command line says nothing else.
 * @throws AgentError if the configuration cannot be used.
 */
export async function loadBase(globals: Globals, { quiet }: { readonly quiet: boolean }): Promise<Base> {
  const system = linuxSystem();
  const loaded = await loadConfig(system.files, pathOptions(globals));
  const log = createLogger({
    level: globals.logLevel ?? (quiet ? "warning" : loaded.config.logLevel),
    format: globals.logFormat ?? FORMATS[audienceOfErrors()],
    write: writeRawError,
    now: () => system.clock.now(),
  });
  for (const warning of loaded.warnings) log.warning(warning);
  return { ...loaded, system, log };
}

function unusable(datastore: string, error: SystemError): AgentError {
  return new AgentError("datastore-unusable", `cannot use the data directory ${datastore}: ${error.message}`, {
    cause: error,
  });
}

/** How a command deals with a data directory that cannot be used now. */
interface Patience {
  /** It may be mended later: the command goes on without it until then. */
  readonly patient?: boolean;
}

/** Without a lock there is nothing to be protected: its directory cannot be written either. */
async function holdIfPossible(
  { system, log, paths }: Base,
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
 * Do something with the device while nobody else may change it.
 * @param command Its name, for others who want to.
 * @throws AgentError `datastore-held`, `datastore-unlockable` or `datastore-unusable`; whatever `action` throws.
 */
export async function withAgent<T>(
  base: Base,
  command: string,
  action: (agent: Agent) => Promise<T>,
  { patient = false }: Patience = {},
): Promise<T> {
  const { system, log } = base;
  const { datastore } = base.paths;
  const release = await holdIfPossible(base, { pid: process.pid, command }, patient);
  try {
    const store = await DeviceStore.open(system.files, datastore, log);
    if (store.unreadable !== undefined && !patient) throw unusable(datastore, store.unreadable);
    return await action({ ...base, store, deviceType: () => readDeviceType(system.files, deviceTypeFile(base)) });
  } finally {
    await release();
  }
}

/** What is known of the device; whoever works with it at the same time is not disturbed. */
export async function lookAtStore({
  system,
  paths,
  log,
}: Pick<Base, "system" | "paths" | "log">): Promise<DeviceStore> {
  try {
    return await DeviceStore.look(system.files, paths.datastore, log);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw unusable(paths.datastore, error);
  }
}

/** @throws AgentError `config-unreadable`, naming the key whose file it is. */
export async function readPem({ system }: Pick<Base, "system">, key: string, path: string): Promise<string> {
  const refuse = (why: string, cause?: unknown): AgentError =>
    new AgentError("config-unreadable", `${key}: ${path} ${why}`, { cause });
  let text: string | undefined;
  try {
    text = await readTextFile(system.files, path, PEM_BYTES_MAX);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw refuse(`cannot be read: ${error.message}`, error);
  }
  if (text === undefined) throw refuse("does not exist");
  if (!text.includes("-----BEGIN ")) throw refuse("holds nothing in PEM format");
  return text;
}

/** How to trust servers, and how to be trusted by them. */
export async function tlsOptions(agent: Base): Promise<TlsOptions> {
  const { serverCertificate, skipVerify, clientCertificate } = agent.config;
  const trusted = serverCertificate === undefined ? undefined : await trustedCertificates(agent, serverCertificate);
  return {
    ...(skipVerify ? { skipVerify } : {}),
    ...given({ trusted }),
    ...(clientCertificate === undefined
      ? {}
      : {
          certificate: await readPem(agent, "HttpsClient.Certificate", clientCertificate.certificate),
          ...("path" in clientCertificate.key
            ? { key: await readPem(agent, "HttpsClient.Key", clientCertificate.key.path) }
            : { keyInEngine: { engine: clientCertificate.key.engine, id: clientCertificate.key.uri } }),
        }),
  };
}

/** A missing file does not keep the device from servers that the system trusts anyway. */
async function trustedCertificates(agent: Base, path: string): Promise<string | undefined> {
  try {
    return await readPem(agent, "ServerCertificate", path);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    agent.log.warning(`${error.message}; only the system's certificates are trusted`);
    return undefined;
  }
}
