import { firstPollDelay } from "../daemon/boot.ts";
import { Daemon } from "../daemon/daemon.ts";
import { Notifier } from "../daemon/notify.ts";
import { collectInventory } from "../device/inventory.ts";
import { installedProvides } from "../device/provides.ts";
import { type Agent, loadBase, withAgent } from "./agent.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";
import { backoffOf, createDeviceClient, createEngine } from "./parts.ts";
import { VERSION } from "./version.ts";

/** What the device provides, as far as a server takes it: values that are empty say nothing. */
async function provided(agent: Agent) {
  const { artifact_name, ...others } = installedProvides(agent.store);
  const told = Object.entries(others).filter(([, value]) => value !== "");
  return { ...Object.fromEntries(told), artifact_name, device_type: await agent.deviceType() };
}

async function runWith(agent: Agent): Promise<ExitCode> {
  const { config, paths, system, log } = agent;
  const server = await createDeviceClient(agent);
  const engine = await createEngine(agent, { server });
  const backoff = backoffOf(agent);
  const jitter = config.pollJitter;
  await new Daemon({
    system,
    server,
    engine,
    provides: () => provided(agent),
    inventory: async () =>
      collectInventory(system, {
        directory: paths.inventoryScripts,
        version: VERSION,
        known: await provided(agent),
        log,
      }),
    polls: { intervalMs: config.updatePollIntervalMs, jitter, backoff },
    inventories: { intervalMs: config.inventoryPollIntervalMs, jitter, backoff },
    firstDelayMs: await firstPollDelay(system, process.env, config.firstPollDelayMs),
    notifier: new Notifier(system, process.env, log),
    log,
  }).run();
  return EXIT.ok;
}

/** `upkeep daemon`: update this device whenever its server has something for it, until it is told to stop. */
export async function runDaemon(globals: Globals): Promise<ExitCode> {
  return await withAgent(await loadBase(globals, { quiet: false }), "daemon", runWith);
}
