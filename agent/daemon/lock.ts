import { createDirectoryDurably, type Files, isSystemError, readTextFile, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { type ProgramSystem, startProgram } from "../modules/program.ts";

const LOCK_BYTES_MAX = 1024;
const COMMAND_LINE_BYTES_MAX = 64 * 1024;
/** Others that give up their lock in the same moment. */
const TRIES_MAX = 5;
const SYSTEMCTL_MS_MAX = 30_000;
const KILL_GRACE_MS = 1000;

/** Who works with a datastore. */
export interface Holder {
  readonly pid: number;
  /** Its command, such as `daemon` or `install`. */
  readonly command: string;
}

function pathIn(datastore: string): string {
  return `${datastore}/upkeep.lock`;
}

/** A program that was killed leaves its lock behind, and its number may be another program's by now. */
async function isAtWork(files: Files, { pid, command }: Holder): Promise<boolean> {
  const commandLine = await readTextFile(files, `/proc/${pid}/cmdline`, COMMAND_LINE_BYTES_MAX);
  const words = commandLine?.split("\0") ?? [];
  return words.some((word) => word.includes("upkeep")) && words.includes(command);
}

/** Who holds `datastore` now; `undefined` if nobody does. */
export async function holderOf(files: Files, datastore: string): Promise<Holder | undefined> {
  const text = await readTextFile(files, pathIn(datastore), LOCK_BYTES_MAX);
  const [, pid, command] = /^(\d+) (\S+)\n$/.exec(text ?? "") ?? [];
  if (pid === undefined || command === undefined) return undefined;
  const holder = { pid: Number(pid), command };
  return (await isAtWork(files, holder)) ? holder : undefined;
}

async function writeLock(files: Files, datastore: string, { pid, command }: Holder): Promise<boolean> {
  try {
    const handle = await files.open(pathIn(datastore), "exclusive", 0o644);
    try {
      await handle.write(Buffer.from(`${pid} ${command}\n`));
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (isSystemError(error, "EEXIST")) return false;
    throw error;
  }
}

/**
 * Hold `datastore`: two programs that change it at the same time would undo each other's changes.
 * @returns To be called when it is no longer needed.
 * @throws AgentError `datastore-held`, saying by whom; `datastore-unusable`.
 */
export async function holdDatastore(files: Files, datastore: string, self: Holder): Promise<() => Promise<void>> {
  const path = pathIn(datastore);
  try {
    await createDirectoryDurably(files, datastore, 0o700);
    for (let count = 0; count < TRIES_MAX; count++) {
      if (await writeLock(files, datastore, self)) return () => files.remove(path);
      const holder = await holderOf(files, datastore);
      if (holder !== undefined && holder.pid !== self.pid) {
        const { pid, command } = holder;
        const hint = command === "daemon" ? "; stop it first, for example with 'systemctl stop upkeep'" : "";
        throw new AgentError(
          "datastore-held",
          `upkeep ${command} (process ${pid}) is at work with ${datastore}${hint}`,
        );
      }
      await files.remove(path);
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new AgentError("datastore-unusable", `cannot use the data directory ${datastore}: ${error.message}`, {
      cause: error,
    });
  }
  throw new AgentError("datastore-held", `others keep taking ${path}`);
}

async function mainPidOfUnit(system: ProgramSystem): Promise<number | undefined> {
  let answer: string;
  try {
    const systemctl = await startProgram(system, {
      command: "systemctl",
      args: ["show", "--property=MainPID", "--value", "upkeep.service"],
      timeoutMs: SYSTEMCTL_MS_MAX,
      killGraceMs: KILL_GRACE_MS,
      answerBytesMax: LOCK_BYTES_MAX,
      // What it complains of is that there is no systemd, or no such unit; both mean that no daemon runs.
      onLine: () => undefined,
    });
    await systemctl.ended;
    answer = systemctl.answer();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    // No systemd on this device, so no unit either.
    return undefined;
  }
  const pid = Number(answer.trim());
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

/**
 * Send SIGUSR1 (ask for a deployment) or SIGUSR2 (send the inventory) to the running daemon: the one that
 * holds the datastore, else the main process of the systemd unit.
 * @param unit Whether to ask systemd for the unit.
 * @returns Its process id.
 * @throws AgentError `daemon-not-running`.
 */
export async function signalDaemon(
  system: Pick<System, "files"> & ProgramSystem,
  datastore: string,
  signal: "USR1" | "USR2",
  unit: boolean,
): Promise<number> {
  const holder = await holderOf(system.files, datastore);
  const pid = holder?.command === "daemon" ? holder.pid : unit ? await mainPidOfUnit(system) : undefined;
  if (pid === undefined) throw new AgentError("daemon-not-running", `no upkeep daemon runs with ${datastore}`);
  const kill = await system.processes.start({ command: "sh", args: ["-c", `kill -s ${signal} ${pid}`] });
  const exit = await kill.exit;
  if ("code" in exit && exit.code === 0) return pid;
  throw new AgentError("daemon-not-running", `the daemon, process ${pid}, cannot be signalled`);
}
