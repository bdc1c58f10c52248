import { type AgentContext, lookAtStore } from "../compose/context.ts";
import { deviceTypeFile } from "../compose/from-config.ts";
import { holderOf } from "../daemon/lock.ts";
import { readDaemonStatus } from "../daemon/status.ts";
import { readDeviceType } from "../device/device-type.ts";
import { installedProvides } from "../device/provides.ts";
import { AgentError } from "../errors.ts";
import { writeOutput } from "../system/terminal.ts";
import { whereabouts } from "../update/index.ts";
import { deploymentOf } from "../update/journal.ts";
import { VERSION } from "../version.ts";
import { loadContext } from "./context.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";
import { describeStatus } from "./status-text.ts";

export interface StatusOptions extends Globals {
  readonly json?: boolean | undefined;
}

async function deviceType(context: AgentContext): Promise<string | null> {
  try {
    return await readDeviceType(context.system.files, deviceTypeFile(context));
  } catch (error) {
    if (error instanceof AgentError) return null;
    throw error;
  }
}

/** The device's status, read without the lock: a program that holds the device is not disturbed. */
async function gather(context: AgentContext) {
  const { config, paths, system } = context;
  const store = await lookAtStore(context);
  const holder = await holderOf(system.files, paths);
  const said = await readDaemonStatus(system, paths.run, paths.datastore);
  const { update, last } = store;
  return {
    version: VERSION,
    deviceType: await deviceType(context),
    artifactName: installedProvides(store).artifact_name,
    servers: config.servers,
    /** The program that holds the device now. */
    holder: holder ?? null,
    /** The daemon's own status; `null` if none runs. */
    daemon: said !== undefined && said.pid === holder?.pid ? said : null,
    /** The update under way, as the journal has it. */
    update:
      update === undefined
        ? null
        : {
            mode: update.origin.mode,
            deployment: deploymentOf(update),
            artifactName: update.artifact?.name ?? null,
            state: update.position.state,
            whereabouts: whereabouts(update),
            failure: update.failure?.message ?? null,
          },
    lastUpdate: last ?? null,
  };
}

export type DeviceStatus = Awaited<ReturnType<typeof gather>>;

/** `upkeep status`: what the device is doing, and why. */
export async function status(options: StatusOptions): Promise<ExitCode> {
  const context = await loadContext(options, { quiet: true });
  const found = await gather(context);
  writeOutput(
    options.json ? `${JSON.stringify(found, undefined, 2)}\n` : describeStatus(found, context.system.clock.now()),
  );
  return EXIT.ok;
}
