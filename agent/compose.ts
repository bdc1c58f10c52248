/**
 * The composition of the agent's daemon, from door and configuration. The command line, the simulation, the fleet and
 * the campaign use it; what one of them replaces, it says in its `Replacements`.
 */

import { isSystemError } from "@upkeep/shared/system";
import { createDeviceClient } from "./compose/client.ts";
import { type AgentContext, describeMissingMount, type HeldDevice, withDevice } from "./compose/context.ts";
import { bootstrapArtifactFile, deviceTypeFile, taskSettings } from "./compose/from-config.ts";
import { Lazy } from "./compose/lazy.ts";
import { LazyEngine } from "./compose/lazy-engine.ts";
import { logParts } from "./compose/parts.ts";
import { readVerifyKeys } from "./compose/pem.ts";
import { firstPollDelay } from "./daemon/boot.ts";
import { Daemon, type DaemonEnd } from "./daemon/daemon.ts";
import { MaintenanceWindows } from "./daemon/maintenance-windows.ts";
import { Notifier } from "./daemon/notify.ts";
import { ObservedEngine, ObservedServer } from "./daemon/observed.ts";
import { waitForReload } from "./daemon/reload-wait.ts";
import { roundScripts } from "./daemon/round-scripts.ts";
import { type Activity, type Board, StatusBoard } from "./daemon/status.ts";
import { collectInventory } from "./device/inventory.ts";
import { missingMount } from "./device/missing-mount.ts";
import { toldProvides } from "./device/provides.ts";
import { AgentError } from "./errors.ts";
import type { ProgressEvent } from "./update/results.ts";
import { VERSION } from "./version.ts";

const lazyBootstrap = new Lazy(async () => (await import("./compose/bootstrap-artifact.ts")).installBootstrapArtifact);
const lazyStateScripts = new Lazy(async () => (await import("./scripts/index.ts")).StateScripts);

/** How often the device is looked at, in case it was set up, or its data partition mounted, without a signal. */
const SETUP_LOOK_MS = 300_000;
const MOUNT_LOOK_MS = 10_000;

export interface DaemonOptions {
  /** Of the device's key, if it is encrypted. */
  readonly passphrase?: string | undefined;
  readonly onProgress?: (event: ProgressEvent) => void;
  /** Called after each call of the update engine: whether its update is over, or is to be resumed. */
  readonly onRest?: (isOver: boolean) => void;
}

export interface ComposedDaemon {
  readonly daemon: Daemon;
  readonly statusBoard: Board;
}

/** A device whose bootstrap artifact is refused can still be updated. */
async function takeOverBootstrapArtifact(device: HeldDevice): Promise<void> {
  try {
    if ((await device.system.files.status(bootstrapArtifactFile(device))) === undefined) return;
    await (await lazyBootstrap.get())(device);
  } catch (error) {
    if (!(error instanceof AgentError) && !isSystemError(error)) throw error;
    device.log.error(error.message, { code: error.code });
  }
}

function statusBoardOf({ system, paths, pid, log }: AgentContext): StatusBoard {
  return new StatusBoard(system, { directory: paths.run, datastore: paths.datastore, pid, log });
}

/** Makes the daemon of a device that this program holds. */
export async function composeDaemon(device: HeldDevice, options: DaemonOptions = {}): Promise<ComposedDaemon> {
  const { config, paths, system, environment, log, store, deviceType, parts } = device;
  const version = await parts.make("version", () => VERSION);
  const takeOver = await parts.make("bootstrapArtifact", () => () => takeOverBootstrapArtifact(device));
  await takeOver();
  const statusBoard = await parts.make("statusBoard", () => statusBoardOf(device));
  const client = await createDeviceClient(device, options.passphrase);
  const server = await parts.make("server", () => new ObservedServer(client, statusBoard));
  // Read only to be refused now, not with the first deployment, if they cannot be.
  await readVerifyKeys(device);
  const onProgress = (event: ProgressEvent): void => {
    statusBoard.progress(event);
    options.onProgress?.(event);
  };
  const engine = await parts.make("engine", () => new LazyEngine(device, { server, onProgress }));
  const windows = await parts.make("windows", () => new MaintenanceWindows(system, config.windows, log));
  await windows.check();
  const provides = await parts.make("provides", () => async () => toldProvides(store, await deviceType()));
  const daemon = new Daemon({
    system,
    server,
    engine: new ObservedEngine(engine, statusBoard, options.onRest),
    provides,
    inventory: await parts.make("inventory", () => async (signal: AbortSignal) => {
      const known = await provides();
      return await collectInventory(system, { directories: paths.inventoryScripts, version, known, log, signal });
    }),
    ...(await parts.make("schedules", () => taskSettings(config))),
    firstDelayMs: await parts.make("firstPollDelayMs", () =>
      firstPollDelay(system, environment, config.firstPollDelayMs),
    ),
    windows,
    notifier: await parts.make("notifier", () => new Notifier(system, environment, log)),
    scripts: await parts.make("stateScripts", () =>
      roundScripts(device, async (scripts) => new (await lazyStateScripts.get())(scripts)),
    ),
    onWaiting: (untilPollMs) => statusBoard.waiting(untilPollMs),
    log,
  });
  logParts(device);
  return { daemon, statusBoard };
}

/** What a device lacks that a poll needs; `undefined` if nothing. An update that was interrupted goes on all the same. */
async function missingSetup(device: HeldDevice): Promise<string | undefined> {
  if (device.store.update !== undefined) return undefined;
  const missing = [
    ...(device.config.servers.length === 0 ? ["the URL of its server"] : []),
    ...((await lacksDeviceType(device)) ? [`its device type (${deviceTypeFile(device)})`] : []),
  ];
  return missing.length === 0 ? undefined : missing.join(" and ");
}

/** True if there is no file of the device type. A wrong one is an error of each poll. */
async function lacksDeviceType({ system, deviceType, ...device }: HeldDevice): Promise<boolean> {
  try {
    await deviceType();
    return false;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    if (isSystemError(error.cause)) return false;
  }
  return (await system.files.status(deviceTypeFile(device))) === undefined;
}

/** What a long-running agent gets besides its context. */
export interface AgentRun extends DaemonOptions {
  /** Reads the configuration again, after SIGHUP. Rejects if it cannot be used. */
  readonly reload?: () => Promise<AgentContext>;
  /** The file that this program was started from: once another one lies there, SIGHUP ends the agent. */
  readonly programFile?: string | undefined;
}

/** One of the daemons that a long-running agent has one after the other. */
interface OneRun extends DaemonOptions {
  readonly isFirst: boolean;
  /** Whether SIGHUP came before this daemon could listen to it. */
  readonly mustReload: () => boolean;
}

/** Waits for SIGHUP or for the time of `longestMs`, and shows why. */
async function rest(context: AgentContext, activity: Activity, status: string, longestMs: number): Promise<DaemonEnd> {
  const { system, environment, log } = context;
  const board = statusBoardOf(context);
  board.activity(activity);
  try {
    return await waitForReload({ system, notifier: new Notifier(system, environment, log), status, longestMs, log });
  } finally {
    await board.close();
  }
}

/** Runs one daemon, or waits until the device has what a daemon needs. */
async function runOnce(context: AgentContext, { isFirst, mustReload, ...options }: OneRun): Promise<DaemonEnd> {
  const { system, paths, log } = context;
  const mountPoint = await missingMount(system.files, paths.root, paths.datastore);
  if (mountPoint !== undefined) {
    if (isFirst) log.error(describeMissingMount(context, mountPoint), { code: "datastore-not-mounted" });
    return await rest(context, "waiting for the data partition", `${mountPoint} is not mounted`, MOUNT_LOOK_MS);
  }
  const run = async (device: HeldDevice): Promise<DaemonEnd> => {
    const missing = await missingSetup(device);
    if (missing !== undefined) {
      if (isFirst) log.info(`this device is not set up: it lacks ${missing}; 'upkeep setup' sets it up`);
      return await rest(device, "not set up", "not set up: 'upkeep setup' sets this device up", SETUP_LOOK_MS);
    }
    const { daemon, statusBoard } = await composeDaemon(device, options);
    try {
      if (mustReload()) daemon.reload();
      return await daemon.run();
    } finally {
      await statusBoard.close();
    }
  };
  return await withDevice(context, "daemon", run, { patient: true });
}

/** The context with the configuration as it is now; the one before if that cannot be used. */
async function reloaded(context: AgentContext, reload: () => Promise<AgentContext>): Promise<AgentContext> {
  try {
    return await reload();
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    context.log.error(`the configuration was not taken over, the one before stays in force: ${error.message}`, {
      code: error.code,
    });
    return context;
  }
}

/** Tells two states of a program's file apart. A package manager keeps the times that the package gives. */
async function fingerprint({ files }: AgentContext["system"], path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const status = await files.status(path);
  return status && `${status.modifiedMs} ${status.sizeBytes}`;
}

/**
 * Runs the agent until it is told to stop. While the disk cannot be used, it polls without it. After SIGHUP, when its
 * round has ended, it reads the configuration again; or ends, if its program was replaced: systemd starts the new one.
 */
export async function runAgent(first: AgentContext, { reload, programFile, ...options }: AgentRun = {}): Promise<void> {
  const { system, log } = first;
  const program = await fingerprint(system, programFile);
  let mustReload = false;
  const unsubscribe = system.processes.onSignal("SIGHUP", () => {
    mustReload = true;
  });
  let context = first;
  try {
    for (let isFirst = true; ; isFirst = false) {
      const end = await runOnce(context, { ...options, isFirst, mustReload: () => mustReload });
      if (end === "stopped" || reload === undefined) return;
      if ((await fingerprint(system, programFile)) !== program) {
        log.info("the daemon ends: another version of its program was installed, which systemd starts now");
        return;
      }
      mustReload = false;
      context = await reloaded(context, reload);
    }
  } finally {
    unsubscribe();
  }
}
