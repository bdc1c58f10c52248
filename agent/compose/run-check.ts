/** One check: an agent that asks, installs what the server offers, and ends. */

import { composeDaemon, type DaemonOptions } from "../compose.ts";
import { Checks } from "../daemon/checks.ts";
import type { CheckOutcome } from "../daemon/daemon.ts";
import { AgentError } from "../errors.ts";
import { type AgentContext, type HeldDevice, withDevice } from "./context.ts";
import { missingSetup, notSetUp } from "./missing-setup.ts";

export interface CheckRun extends Omit<DaemonOptions, "due"> {
  /** Poll also if UpdatePollSchedule, or the server, says later. */
  readonly now?: boolean;
}

/**
 * Goes on with an update that has begun, asks for another one, and sends the inventory if it is due.
 * @throws AgentError `device-not-set-up`; what the data directory's lock or the configuration throws.
 */
export async function runCheck(
  context: AgentContext,
  { now = false, ...options }: CheckRun = {},
): Promise<CheckOutcome> {
  const check = async (device: HeldDevice): Promise<CheckOutcome> => {
    const missing = await missingSetup(device);
    if (missing !== undefined) throw new AgentError("device-not-set-up", notSetUp(missing));
    const { system, config, paths, log } = device;
    const { windows, inventoryPollIntervalMs: inventoryIntervalMs } = config;
    const checks = new Checks(system, { datastore: paths.datastore, inventoryIntervalMs, windows, now, log });
    const { daemon, server, statusBoard } = await composeDaemon(device, { ...options, due: () => checks.due() });
    try {
      const end = await daemon.run();
      const { polled, retryAfterMs } = daemon;
      await checks.done({ polled, inventorySent: server.hasInventory, retryAfterMs });
      return end === "stopped" ? "unfinished" : daemon.outcome;
    } finally {
      await statusBoard.close();
    }
  };
  return await withDevice(context, "check", check, { patient: true });
}
