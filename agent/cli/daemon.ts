import { isSystemError } from "@upkeep/shared/system";
import { taskSettings } from "../compose/from-config.ts";
import { firstPollDelay } from "../daemon/boot.ts";
import { Daemon } from "../daemon/daemon.ts";
import { MaintenanceWindows } from "../daemon/maintenance-windows.ts";
import { Notifier } from "../daemon/notify.ts";
import { observedEngine, observedServer } from "../daemon/observed.ts";
import { roundScripts } from "../daemon/round-scripts.ts";
import { StatusBoard } from "../daemon/status.ts";
import { collectInventory } from "../device/inventory.ts";
import { toldProvides } from "../device/provides.ts";
import { AgentError } from "../errors.ts";
import { type Agent, loadBase, withAgent } from "./agent.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";
import { lazyEngine } from "./lazy-engine.ts";
import { createDeviceClient, readVerifyKeys } from "./parts.ts";
import { readPassphrase } from "./passphrase.ts";
import { VERSION } from "./version.ts";

/** A device that cannot take over what its bootstrap artifact says can still be updated. */
async function takeOverBootstrapArtifact(agent: Agent): Promise<void> {
  try {
    if ((await agent.system.files.status(`${agent.paths.datastore}/bootstrap.mender`)) === undefined) return;
    await (await import("./bootstrap-artifact.ts")).installBootstrapArtifact(agent);
  } catch (error) {
    if (!(error instanceof AgentError) && !isSystemError(error)) throw error;
    agent.log.error(error.message, { code: error.code });
  }
}

async function runWith(agent: Agent, passphrase: string | undefined): Promise<ExitCode> {
  const { config, paths, system, log } = agent;
  await takeOverBootstrapArtifact(agent);
  const board = new StatusBoard(system, { directory: paths.run, datastore: paths.datastore, pid: process.pid, log });
  const server = observedServer(await createDeviceClient(agent, passphrase), board);
  // Read only to be refused now, not with the first deployment, if they cannot be.
  await readVerifyKeys(agent);
  const engine = lazyEngine(agent, { server, onProgress: (event) => board.progress(event) });
  const windows = new MaintenanceWindows(system, config.windows, log);
  await windows.check();
  const daemon = new Daemon({
    system,
    server,
    engine: observedEngine(engine, board),
    provides: async () => toldProvides(agent.store, await agent.deviceType()),
    inventory: async () =>
      collectInventory(system, {
        directory: paths.inventoryScripts,
        version: VERSION,
        known: await toldProvides(agent.store, await agent.deviceType()),
        log,
      }),
    ...taskSettings(config),
    firstDelayMs: await firstPollDelay(system, process.env, config.firstPollDelayMs),
    windows,
    notifier: new Notifier(system, process.env, log),
    scripts: roundScripts(agent, async (options) => new (await import("../scripts/index.ts")).StateScripts(options)),
    onWaiting: (untilPollMs) => board.waiting(untilPollMs),
    log,
  });
  try {
    await daemon.run();
  } finally {
    await board.close();
  }
  return EXIT.ok;
}

export interface DaemonOptions extends Globals {
  readonly passphraseFile?: string | undefined;
}

/** `upkeep daemon`: update this device whenever its server has something for it, until it is told to stop. */
export async function runDaemon(options: DaemonOptions): Promise<ExitCode> {
  const base = await loadBase(options, { quiet: false });
  const passphrase = await readPassphrase(base.system, options.passphraseFile);
  return await withAgent(base, "daemon", (agent) => runWith(agent, passphrase), { patient: true });
}
