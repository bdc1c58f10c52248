import { openArtifact } from "@upkeep/shared/artifact";
import type { Logger } from "@upkeep/shared/logging";
import { readTextFile, type System } from "@upkeep/shared/system";
import {
  backoffSchedule,
  collectInventory,
  Daemon,
  type DaemonEngine,
  DEFAULT_UPDATE_SETTINGS,
  type DeploymentServer,
  DeviceClient,
  DeviceStore,
  Downloads,
  deviceTypeFile,
  downloadSettings,
  HttpClient,
  httpSettings,
  keyFile,
  type LoadedConfig,
  Login,
  loadConfig,
  loadDeviceKey,
  MaintenanceWindows,
  Notifier,
  type OpenArtifact,
  type ProgressEvent,
  pauseBeforeRetry,
  proxiesFrom,
  readDeviceType,
  readIdentity,
  roundScripts,
  Servers,
  StateScripts,
  taskSettings,
  toldProvides,
  UpdateEngine,
  updatePaths,
  updateSettings,
} from "upkeep/index.ts";
import type { MainProgram } from "../simulation/index.ts";
import { SYNCHRONOUS_DECOMPRESSORS } from "./decompression.ts";
import { BOOTED_SLOT, SLOTS } from "./factory.ts";

const VERSION = "0.1.0";
const PEM_BYTES_MAX = 64 * 1024;

/** Parts of the agent that a test replaces by ones of its own, made of the true ones: planted bugs. */
export interface AgentWraps {
  readonly system?: (system: System) => System;
  readonly store?: (store: DeviceStore) => DeviceStore;
  readonly client?: (client: DeviceClient) => DeviceClient;
  readonly server?: (server: DeploymentServer) => DeploymentServer;
  readonly openArtifact?: (open: OpenArtifact) => OpenArtifact;
  readonly engine?: (engine: DaemonEngine, store: DeviceStore) => DaemonEngine;
}

export interface AgentOptions {
  readonly log: Logger;
  readonly onProgress: (event: ProgressEvent) => void;
  /** The engine is at rest: its update is over, or is to be gone on with. */
  readonly onRest: (isOver: boolean) => void;
  readonly wraps: AgentWraps;
}

interface Parts {
  readonly system: System;
  readonly log: Logger;
  readonly loaded: LoadedConfig;
  readonly store: DeviceStore;
  readonly deviceType: () => Promise<string>;
  readonly wraps: AgentWraps;
}

/** What the kernel tells of the slot that was booted. */
async function tellSlot({ files }: System, slot: number | undefined): Promise<void> {
  if (slot === undefined) return;
  const put = async (path: string, text: string): Promise<void> => {
    const file = await files.open(path, "write");
    await file.write(new TextEncoder().encode(text));
    await file.close();
  };
  await put(BOOTED_SLOT, String(slot));
  await files.makeDirectory("/proc/self");
  await put("/proc/self/mountinfo", `1 0 8:${slot} / / rw - ext4 ${SLOTS[slot]} rw\n`);
}

async function clientOf({ system, log, loaded: { config, paths }, wraps }: Parts): Promise<DeviceClient> {
  const key = await loadDeviceKey(system.files, { path: keyFile({ paths }) }, () => undefined);
  const http = new HttpClient(system, {
    tls: config.skipVerify ? { skipVerify: true } : {},
    proxies: proxiesFrom({}),
    ...httpSettings(config),
    version: VERSION,
  });
  const login = new Login(http, {
    tenantToken: config.tenantToken,
    tier: config.deviceTier,
    key,
    readIdentity: () => readIdentity(system, paths.identityScript),
  });
  const downloads = new Downloads(system, http, downloadSettings(config), log);
  const client = new DeviceClient(
    http,
    login,
    downloads,
    new Servers(config.servers, system.clock, config.serverRetryMs),
  );
  return wraps.client?.(client) ?? client;
}

async function verifyKeys({ system, loaded: { config } }: Parts): Promise<string[]> {
  const keys: string[] = [];
  for (const path of config.artifactVerifyKeys)
    keys.push((await readTextFile(system.files, path, PEM_BYTES_MAX)) ?? "");
  return keys;
}

async function engineOf(
  parts: Parts,
  client: DeviceClient,
  onProgress: AgentOptions["onProgress"],
): Promise<UpdateEngine> {
  const { system, log, store, deviceType, wraps } = parts;
  const { config } = parts.loaded;
  const backoff = backoffSchedule(config);
  const open: OpenArtifact = (source, options) =>
    openArtifact(source, { ...options, decompressors: SYNCHRONOUS_DECOMPRESSORS });
  return new UpdateEngine({
    system,
    logger: log,
    store,
    paths: updatePaths(parts.loaded),
    settings: { ...DEFAULT_UPDATE_SETTINGS, ...updateSettings(config, await verifyKeys(parts)) },
    openArtifact: wraps.openArtifact?.(open) ?? open,
    deviceType,
    server: wraps.server?.(client) ?? client,
    retryDelays: (attempt, retryAfterMs) => pauseBeforeRetry(backoff, attempt, system.random.fraction(), retryAfterMs),
    onProgress,
  });
}

/** The engine, that says when it is at rest. */
function resting(engine: DaemonEngine, onRest: () => void): DaemonEngine {
  const then = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } finally {
      onRest();
    }
  };
  return {
    runDeployment: (instructions, signal) => then(engine.runDeployment(instructions, signal)),
    resume: (signal) => then(engine.resume(signal)),
  };
}

/** What a device runs: the agent, put together as its `daemon` command does it, with nothing but the door exchanged. */
export function agentProgram({ log, onProgress, onRest, wraps }: AgentOptions): MainProgram {
  return async (door, boot) => {
    const system = wraps.system?.(door) ?? door;
    await tellSlot(system, boot.slot?.slot);
    const loaded = await loadConfig(system.files, {});
    const { config, paths } = loaded;
    const opened = await DeviceStore.open(system.files, paths.datastore, log);
    const store = wraps.store?.(opened) ?? opened;
    const deviceType = () => readDeviceType(system.files, deviceTypeFile(loaded));
    const parts: Parts = { system, log, loaded, store, deviceType, wraps };
    const client = await clientOf(parts);
    const made = await engineOf(parts, client, onProgress);
    const engine = resting(wraps.engine?.(made, store) ?? made, () => onRest(made.pending === undefined));
    const windows = new MaintenanceWindows(system, config.windows, log);
    await windows.check();
    const provides = async () => toldProvides(store, await deviceType());
    const daemon = new Daemon({
      system,
      server: client,
      engine,
      provides,
      inventory: async () =>
        collectInventory(system, {
          directory: paths.inventoryScripts,
          version: VERSION,
          known: await provides(),
          log,
        }),
      ...taskSettings(config),
      windows,
      notifier: new Notifier(system, {}, log),
      scripts: roundScripts({ ...loaded, system, log }, (options) => new StateScripts(options)),
      log,
    });
    await daemon.run();
  };
}
