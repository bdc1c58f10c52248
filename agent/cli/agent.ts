import { createLogger, type Logger } from "@upkeep/shared/logging";
import { isSystemError, readTextFile, type System, type TlsOptions } from "@upkeep/shared/system";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { readDeviceType } from "../device/device-type.ts";
import { DeviceStore } from "../device/store.ts";
import { AgentError } from "../errors.ts";
import { linuxSystem } from "../system/index.ts";
import { type Audience, audienceOfErrors, writeError } from "../system/terminal.ts";
import type { Globals } from "./globals.ts";

const PEM_BYTES_MAX = 1024 * 1024;

const FORMATS = { terminal: "human", journal: "journal", other: "json" } as const satisfies Record<Audience, string>;

/** What all commands begin with: the door, the configuration, a log, and what the device remembers. */
export interface Agent extends LoadedConfig {
  readonly system: System;
  readonly log: Logger;
  readonly store: DeviceStore;
  readonly deviceType: () => Promise<string>;
}

export interface OpenOptions {
  /** The least severe level that is logged where neither the command line nor, for the daemon, the configuration says. */
  readonly quiet: boolean;
}

/** @throws AgentError if the configuration or the data directory cannot be used. */
export async function openAgent(globals: Globals, { quiet }: OpenOptions): Promise<Agent> {
  const { config, fallbackConfig, datastore, root } = globals;
  const system = linuxSystem();
  const loaded = await loadConfig(system.files, {
    ...(config === undefined ? {} : { config }),
    ...(fallbackConfig === undefined ? {} : { fallbackConfig }),
    ...(datastore === undefined ? {} : { datastore }),
    ...(root === undefined ? {} : { root }),
  });
  const log = createLogger({
    level: globals.logLevel ?? (quiet ? "warning" : loaded.config.logLevel),
    format: globals.logFormat ?? FORMATS[audienceOfErrors()],
    write: writeError,
    now: () => system.clock.now(),
  });
  for (const warning of loaded.warnings) log.warning(warning);
  const store = await openStore(system, loaded.paths.datastore, log);
  const typeFile = loaded.config.deviceTypeFile ?? `${loaded.paths.datastore}/device_type`;
  return { ...loaded, system, log, store, deviceType: () => readDeviceType(system.files, typeFile) };
}

async function openStore(system: System, datastore: string, log: Logger): Promise<DeviceStore> {
  try {
    return await DeviceStore.open(system.files, datastore, log);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new AgentError("datastore-unusable", `cannot use the data directory ${datastore}: ${error.message}`, {
      cause: error,
    });
  }
}

/** @throws AgentError `config-unreadable`, naming the key whose file it is. */
export async function readPem({ system }: Pick<Agent, "system">, key: string, path: string): Promise<string> {
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
export async function tlsOptions(agent: Agent): Promise<TlsOptions> {
  const { serverCertificate, skipVerify, clientCertificate } = agent.config;
  const trusted = serverCertificate === undefined ? undefined : await trustedCertificates(agent, serverCertificate);
  return {
    ...(skipVerify ? { skipVerify } : {}),
    ...(trusted === undefined ? {} : { trusted }),
    ...(clientCertificate === undefined
      ? {}
      : {
          certificate: await readPem(agent, "HttpsClient.Certificate", clientCertificate.certificate),
          key: await readPem(agent, "HttpsClient.Key", clientCertificate.key),
        }),
  };
}

/** A missing file does not keep the device from servers that the system trusts anyway. */
async function trustedCertificates(agent: Agent, path: string): Promise<string | undefined> {
  try {
    return await readPem(agent, "ServerCertificate", path);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    agent.log.warning(`${error.message}; only the system's certificates are trusted`);
    return undefined;
  }
}
