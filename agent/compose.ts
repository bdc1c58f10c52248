/**
 * The composition of the agent's daemon, from door and configuration. The command line, the simulation, the fleet and
 * the campaign use it; what one of them replaces, it says in its `Replacements`.
 */

import { given } from "@upkeep/shared/given";
import { isSystemError } from "@upkeep/shared/system";
import { createDeviceClient } from "./compose/client.ts";
import type { AgentContext, HeldDevice } from "./compose/context.ts";
import { bootstrapArtifactFile, taskSettings } from "./compose/from-config.ts";
import { Lazy } from "./compose/lazy.ts";
import { LazyEngine } from "./compose/lazy-engine.ts";
import { logParts } from "./compose/parts.ts";
import { readVerifyKeys } from "./compose/pem.ts";
import { firstPollDelay } from "./daemon/boot.ts";
import { Daemon, type DaemonServer, type DueTasks } from "./daemon/daemon.ts";
import { MaintenanceWindows } from "./daemon/maintenance-windows.ts";
import { Notifier } from "./daemon/notify.ts";
import { ObservedEngine, ObservedServer } from "./daemon/observed.ts";
import { roundScripts } from "./daemon/round-scripts.ts";
import { type Board, StatusBoard } from "./daemon/status.ts";
import { collectInventory } from "./device/inventory.ts";
import { toldProvides } from "./device/provides.ts";
import { AgentError } from "./errors.ts";
import type { ProgressEvent } from "./update/results.ts";
import { VERSION } from "./version.ts";

const lazyBootstrap = new Lazy(async () => (await import("./compose/bootstrap-artifact.ts")).installBootstrapArtifact);
const lazyStateScripts = new Lazy(async () => (await import("./scripts/index.ts")).StateScripts);

export interface DaemonOptions {
  /** Of the device's key, if it is encrypted. */
  readonly passphrase?: string | undefined;
  readonly onProgress?: (event: ProgressEvent) => void;
  /** Called after each call of the update engine: whether its update is over, or is to be resumed. */
  readonly onRest?: (isOver: boolean) => void;
  /** Says what is due, for a daemon that checks once and ends. Called when the schedules are known to be good. */
  readonly due?: () => Promise<DueTasks>;
}

export interface ComposedDaemon {
  readonly daemon: Daemon;
  readonly server: Pick<DaemonServer, "hasInventory">;
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

export function notifierOf({ system, environment, log }: AgentContext): Notifier {
  return new Notifier(system, environment, log);
}

/** The board of a daemon, for `upkeep status`. */
export function statusBoardOf({ system, paths, pid, log }: AgentContext): StatusBoard {
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
    notifier: await parts.make("notifier", () => notifierOf(device)),
    scripts: await parts.make("stateScripts", () =>
      roundScripts(device, async (scripts) => new (await lazyStateScripts.get())(scripts)),
    ),
    onWaiting: (untilPollMs) => statusBoard.waiting(untilPollMs),
    ...given({ check: await options.due?.() }),
    log,
  });
  logParts(device);
  return { daemon, server, statusBoard };
}
