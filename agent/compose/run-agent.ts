/** A long-running agent: one daemon after the other, each with the configuration as it is then. */

import { composeDaemon, type DaemonOptions, notifierOf, statusBoardOf } from "../compose.ts";
import type { DaemonEnd } from "../daemon/daemon.ts";
import { waitForReload } from "../daemon/reload-wait.ts";
import type { Activity } from "../daemon/status.ts";
import { AgentError } from "../errors.ts";
import { type AgentContext, type HeldDevice, withDevice } from "./context.ts";
import { missingSetup, notSetUp } from "./missing-setup.ts";

/** What a device may lack that a daemon needs, and how often it is looked for: it may come without a signal. */
const LACKS = {
  setup: { activity: "not set up", status: "not set up: 'upkeep setup' sets this device up", lookMs: 300_000 },
  mount: {
    activity: "waiting for the data partition",
    status: "waiting for the data partition, which is not mounted",
    lookMs: 10_000,
  },
} as const satisfies Record<string, { activity: Activity; status: string; lookMs: number }>;

export interface AgentRun extends DaemonOptions {
  /** Reads the configuration again, after SIGHUP. Rejects if it cannot be used. */
  readonly reload?: () => Promise<AgentContext>;
  /** The file that this program was started from: once another one lies there, SIGHUP ends the agent. */
  readonly programFile?: string | undefined;
}

/** One of the daemons that a long-running agent has one after the other. */
interface OneRun extends DaemonOptions {
  /** Whether SIGHUP came before this daemon could listen to it. */
  readonly mustReload: () => boolean;
  /** Logs what the device lacks, once for as long as it lacks it. */
  readonly tell: (level: "info" | "error", message: string) => void;
}

/** Waits until the device may have what it lacks, and shows what that is. */
async function rest(context: AgentContext, lack: keyof typeof LACKS, { mustReload }: OneRun): Promise<DaemonEnd> {
  if (mustReload()) return "reload";
  const { system, log } = context;
  const { activity, status, lookMs } = LACKS[lack];
  const board = statusBoardOf(context);
  board.activity(activity);
  try {
    return await waitForReload({ system, notifier: notifierOf(context), status, longestMs: lookMs, log });
  } finally {
    await board.close();
  }
}

/** Runs one daemon, or waits until the device has what a daemon needs. */
async function runOnce(context: AgentContext, one: OneRun): Promise<DaemonEnd> {
  const run = async (device: HeldDevice): Promise<DaemonEnd> => {
    const missing = await missingSetup(device);
    if (missing !== undefined) {
      one.tell("info", notSetUp(missing));
      return await rest(device, "setup", one);
    }
    const { daemon, statusBoard } = await composeDaemon(device, one);
    try {
      if (one.mustReload()) daemon.reload();
      return await daemon.run();
    } finally {
      await statusBoard.close();
    }
  };
  try {
    return await withDevice(context, "daemon", run, { patient: true });
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "datastore-not-mounted") throw error;
    one.tell("error", error.message);
    return await rest(context, "mount", one);
  }
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

/** Tells two files of a program apart. Packages of two versions may give them the same time, and even the same size. */
async function fingerprint({ files }: AgentContext["system"], path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const status = await files.status(path);
  return status && `${status.inode} ${status.modifiedMs} ${status.sizeBytes}`;
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
  let told: string | undefined;
  const tell: OneRun["tell"] = (level, message) => {
    if (message !== told) context.log[level](message);
    told = message;
  };
  try {
    for (;;) {
      const end = await runOnce(context, { ...options, mustReload: () => mustReload, tell });
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
