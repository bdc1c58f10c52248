import { createDirectoryDurably, type Files, isSystemError, readTextFile, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { type ProgramSystem, startProgram } from "../programs/program.ts";

const LOCK_BYTES_MAX = 1024;
const STAT_BYTES_MAX = 4096;
/** Tries against programs that take or release the lock at the same time. */
const TRIES_MAX = 5;
const SYSTEMCTL_MS_MAX = 30_000;
const KILL_GRACE_MS = 1000;

/** The process that holds a datastore. */
export interface Holder {
  readonly pid: number;
  /** Its command, such as `daemon` or `install`. */
  readonly command: string;
}

/** Where a lock may be. */
export interface LockPlaces {
  /** In memory: a lock there takes no room on the disk, and a reboot removes it. */
  readonly run: string;
  readonly datastore: string;
}

/**
 * The lock is a directory with one file, whose name holds the process id, the command, the start time and the boot id:
 * the last two tell the holder from a later process with the same id. A program takes the lock by renaming its own
 * directory to the lock's name, which the kernel permits only while the lock is empty or missing, and removes the file
 * of an ended holder by its name. So of several programs that take over a stale lock, exactly one gets it.
 */
const HOLDER = /^(\d+) (\S+) (\d+) (\S+)$/;
/** The field of /proc/PID/stat, counted behind the program's name, with the start time in clock ticks since the boot. */
const STARTED_FIELD = 19;
const BOOT_ID = "/proc/sys/kernel/random/boot_id";
/** States of ended processes that their parent has not waited for yet. */
const ENDED_STATES = ["Z", "X"];

/** The lock's paths, the one to be used first. */
async function pathsIn(files: Files, { run, datastore }: LockPlaces): Promise<readonly [string, string]> {
  let path = datastore;
  try {
    path = await files.realPath(datastore);
  } catch (error) {
    // The datastore does not exist yet, so it has no other name.
    if (!isSystemError(error)) throw error;
  }
  return [`${run}/${encodeURIComponent(path)}.lock`, `${path}/upkeep.lock.d`];
}

/** The start time of process `pid`; `undefined` if it does not run. */
async function startOf(files: Files, pid: number): Promise<string | undefined> {
  const text = await readTextFile(files, `/proc/${pid}/stat`, STAT_BYTES_MAX);
  // The program's name is in parentheses, and may contain some.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ") ?? [];
  return ENDED_STATES.includes(fields[0] ?? "") ? undefined : fields[STARTED_FIELD];
}

async function bootId(files: Files): Promise<string> {
  return (await readTextFile(files, BOOT_ID, LOCK_BYTES_MAX))?.trim() ?? "-";
}

/**
 * The holder that a file of a lock names, if it still runs. A killed program leaves its lock behind, and another program
 * may have its process id by now.
 */
async function holderNamed(files: Files, name: string): Promise<Holder | undefined> {
  const [, pid, command, started, boot] = HOLDER.exec(name) ?? [];
  if (pid === undefined || command === undefined) return undefined;
  if (boot !== (await bootId(files)) || started !== (await startOf(files, Number(pid)))) return undefined;
  return { pid: Number(pid), command };
}

async function namesIn(files: Files, lock: string): Promise<string[]> {
  try {
    return (await files.list(lock)).map(({ name }) => name);
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return [];
    throw error;
  }
}

/** Who holds the datastore now; `undefined` if no program does. */
export async function holderOf(files: Files, places: LockPlaces): Promise<Holder | undefined> {
  for (const lock of await pathsIn(files, places)) {
    for (const name of await namesIn(files, lock)) {
      const holder = await holderNamed(files, name);
      if (holder !== undefined) return holder;
    }
  }
  return undefined;
}

/** Renames a directory to the lock. @returns False if the lock has a holder, which may have ended. */
async function takeName(files: Files, directory: string, lock: string): Promise<boolean> {
  try {
    await files.rename(directory, lock);
    return true;
  } catch (error) {
    if (isSystemError(error, "ENOTEMPTY") || isSystemError(error, "EEXIST")) return false;
    throw error;
  }
}

function held({ pid, command }: Holder, datastore: string): AgentError {
  const hint = command === "daemon" ? "; stop it first, for example with 'systemctl stop upkeep'" : "";
  return new AgentError("datastore-held", `upkeep ${command} (process ${pid}) is at work with ${datastore}${hint}`);
}

/** @throws SystemError if no lock can be written there. */
async function holdAt(files: Files, lock: string, places: LockPlaces, self: Holder): Promise<() => Promise<void>> {
  const name = `${self.pid} ${self.command} ${await startOf(files, self.pid)} ${await bootId(files)}`;
  const own = `${lock}.${self.pid}`;
  try {
    for (let count = 0; count < TRIES_MAX; count++) {
      // Left by an earlier process with this id.
      await files.remove(own);
      await files.makeDirectory(own, 0o755);
      await (await files.open(`${own}/${name}`, "exclusive", 0o644)).close();
      if (await takeName(files, own, lock)) return () => files.remove(`${lock}/${name}`);
      for (const other of await namesIn(files, lock)) {
        const holder = await holderNamed(files, other);
        if (holder !== undefined && holder.pid !== self.pid) throw held(holder, places.datastore);
        await files.remove(`${lock}/${other}`);
      }
    }
  } catch (error) {
    await files.remove(own);
    throw error;
  }
  await files.remove(own);
  throw new AgentError("datastore-held", `others keep taking ${lock}`);
}

/**
 * Hold a datastore: two programs that change it at the same time would undo each other's changes. The lock lies in
 * memory, and in the datastore only where nothing can be written there.
 * @returns To be called when it is no longer needed.
 * @throws AgentError `datastore-held`, saying by whom; `datastore-unlockable` if it can be written nowhere.
 */
export async function holdDatastore(files: Files, places: LockPlaces, self: Holder): Promise<() => Promise<void>> {
  const holder = await holderOf(files, places);
  if (holder !== undefined && holder.pid !== self.pid) throw held(holder, places.datastore);
  const [inMemory, onDisk] = await pathsIn(files, places);
  try {
    await files.makeDirectory(places.run, 0o755);
    return await holdAt(files, inMemory, places, self);
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
  try {
    await createDirectoryDurably(files, places.datastore, 0o700);
    return await holdAt(files, onDisk, places, self);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new AgentError(
      "datastore-unlockable",
      `cannot keep others from the data directory ${places.datastore}: ${error.message}`,
      { cause: error },
    );
  }
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
      // It complains if there is no systemd or no such unit: then no daemon runs.
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
 * Send SIGUSR1 (ask for a deployment), SIGUSR2 (send the inventory) or SIGHUP (read the configuration) to the running
 * daemon: the one that holds the datastore, else the main process of the systemd unit.
 * @param unit Whether to ask systemd for the unit.
 * @returns Its process id.
 * @throws AgentError `daemon-not-running`.
 */
export async function signalDaemon(
  system: Pick<System, "files"> & ProgramSystem,
  places: LockPlaces,
  signal: "USR1" | "USR2" | "HUP",
  unit: boolean,
): Promise<number> {
  const holder = await holderOf(system.files, places);
  const pid = holder?.command === "daemon" ? holder.pid : unit ? await mainPidOfUnit(system) : undefined;
  if (pid === undefined) {
    throw new AgentError(
      "daemon-not-running",
      `no upkeep daemon runs with ${places.datastore}; without one, 'upkeep check' asks for an update and sends the inventory`,
    );
  }
  const kill = await system.processes.start({ command: "sh", args: ["-c", `kill -s ${signal} ${pid}`] });
  const exit = await kill.exit;
  if ("code" in exit && exit.code === 0) return pid;
  throw new AgentError("daemon-not-running", `the daemon, process ${pid}, cannot be signalled`);
}
