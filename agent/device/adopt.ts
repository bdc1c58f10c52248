import type { Provides } from "@upkeep/shared/compatibility";
import { describeFaults, recordOf } from "@upkeep/shared/protocol";
import { isSystemError, readFile, readTextFile, replaceFile, type System } from "@upkeep/shared/system";
import * as z from "zod/mini";
import { AgentError } from "../errors.ts";
import { describeEnd, startProgram } from "../programs/program.ts";
import { EmptyStore, readMenderStore, StoreFault } from "./adopt-store.ts";
import { UNKNOWN_ARTIFACT } from "./provides.ts";

const STORE_BYTES_MAX = 64 * 1024 * 1024;
const ANSWER_BYTES_MAX = 1024 * 1024;
const PROGRAM_MS_MAX = 30_000;
const KILL_GRACE_MS = 2000;
/** A store that is being written is read again. */
const TRIES_MAX = 5;

type AdoptSystem = Pick<System, "files" | "processes" | "timers">;

const TextMap = recordOf(z.string());

/** What is installed according to the old client. */
export interface OldProvides {
  /** `artifact_name` included; `undefined` if it never installed anything. */
  readonly provides: Provides | undefined;
  /** Where that was found, for a person. */
  readonly source: string;
  /** The old client has a store, so it was at work here. */
  readonly hasStore: boolean;
  /** The store is one of the 3.x line's: newer clients delete the token that those keep there. */
  readonly isThreeX: boolean;
}

/** What the old client answers about what is installed. */
type Answer = Pick<OldProvides, "provides" | "source">;

/** The key of the token in the store of a 3.x client. */
const TOKEN_OF_THREE_X = "authtoken";

const IF_LOST =
  "put back a good copy of it, or remove it: then the device has the artifact of its factory, or an unknown one";

/** Its client programs, the newer one first. */
const PROGRAMS = ["mender-update", "mender"] as const;
/** Its services; two clients must not work for one device. */
export const OLD_SERVICES = ["mender-updated", "mender-authd", "mender-client"] as const;

function unreadable(path: string, why: string, cause?: unknown): AgentError {
  return new AgentError("old-store-unreadable", `the old client's store ${path} cannot be read: ${why}`, { cause });
}

/** The file as it is between two writes of a client that may be at work. */
async function steadyFile({ files }: AdoptSystem, path: string): Promise<Buffer | undefined> {
  let before: Buffer | undefined;
  for (let count = 0; count < TRIES_MAX; count++) {
    const file = await readFile(files, path, STORE_BYTES_MAX);
    if (file === undefined || before?.equals(file)) return file;
    before = file;
  }
  throw unreadable(path, "it is being written all the time; stop the old client first");
}

/** @throws AgentError `old-client-busy`: what it has begun it must bring to an end. */
function demandIdle(values: ReadonlyMap<string, Buffer>, path: string): void {
  for (const key of ["state", "standalone-state"]) {
    if ((values.get(key)?.length ?? 0) === 0) continue;
    throw new AgentError(
      "old-client-busy",
      `the old client is in the middle of an update (${key} in ${path}): let it finish, commit or roll back first`,
    );
  }
}

function providesIn(values: ReadonlyMap<string, Buffer>, path: string): Provides | undefined {
  const text = (key: string): string => values.get(key)?.toString("utf8") ?? "";
  const name = text("artifact-name");
  if (name === "") return undefined;
  let others: unknown;
  try {
    others = JSON.parse(text("artifact-provides") || "{}");
  } catch (error) {
    throw unreadable(path, "artifact-provides is not JSON", error);
  }
  const map = z.safeParse(TextMap, others);
  if (!map.success) throw unreadable(path, `artifact-provides: ${describeFaults(map.error)}`);
  const group = text("artifact-group");
  return { ...map.data, ...(group === "" ? {} : { artifact_group: group }), artifact_name: name };
}

/**
 * Ask the old client itself, whichever of its programs is there. It gets a copy of its store: one that it cannot
 * open it would put aside, and begin a new one.
 */
async function askAboutCopy(system: AdoptSystem, store: Buffer, scratch: string): Promise<Answer | undefined> {
  await system.files.remove(scratch);
  await system.files.makeDirectory(scratch, 0o700);
  try {
    await replaceFile(system.files, `${scratch}/mender-store`, store, 0o600);
    return await askOldClient(system, scratch);
  } finally {
    await system.files.remove(scratch);
  }
}

async function askOldClient(system: AdoptSystem, datastore: string): Promise<Answer | undefined> {
  for (const command of PROGRAMS) {
    const complaints: string[] = [];
    let answer: string;
    try {
      const program = await startProgram(system, {
        command,
        args: ["--data", datastore, "show-provides"],
        timeoutMs: PROGRAM_MS_MAX,
        killGraceMs: KILL_GRACE_MS,
        answerBytesMax: ANSWER_BYTES_MAX,
        onLine: (line) => complaints.push(line),
      });
      const end = await program.ended;
      if (end.kind !== "exited" || end.code !== 0) {
        const said = complaints.at(-1);
        throw new AgentError(
          "old-client-failed",
          `${command} show-provides ${describeEnd(end, PROGRAM_MS_MAX)}${said === undefined ? "" : `: ${said}`}`,
        );
      }
      answer = program.answer();
    } catch (error) {
      if (isSystemError(error, "ENOENT")) continue;
      throw error;
    }
    const lines = answer.split("\n").flatMap((line): [string, string][] => {
      const equals = line.indexOf("=");
      return equals > 0 ? [[line.slice(0, equals), line.slice(equals + 1)]] : [];
    });
    const provides: Provides = Object.fromEntries(lines);
    const isKnown = provides.artifact_name !== undefined && !["", UNKNOWN_ARTIFACT].includes(provides.artifact_name);
    return {
      provides: isKnown ? provides : undefined,
      source: `${command} show-provides`,
    };
  }
  return undefined;
}

/** The name that a device of the 3.x client has before its first update. */
async function factoryName({ files }: AdoptSystem, path: string): Promise<string | undefined> {
  const text = await readTextFile(files, path, ANSWER_BYTES_MAX);
  return /^artifact_name=(.+)$/m.exec(text ?? "")?.[1]?.trim();
}

/**
 * What the old client says is installed: from its store, which is only read; if that is of a kind that is not
 * understood, from its own `show-provides`. Where it knows nothing, from `artifactInfo`.
 * @param scratch A directory that is made where it is needed, and removed.
 * @throws AgentError `old-client-busy`, `old-client-failed` or `old-store-unreadable`.
 */
export async function readOldProvides(
  system: AdoptSystem,
  datastore: string,
  artifactInfo: string,
  scratch: string,
): Promise<OldProvides> {
  const path = `${datastore}/mender-store`;
  const file = await steadyFile(system, path);
  const found: OldProvides =
    file === undefined
      ? { provides: undefined, source: `${path}, which does not exist`, hasStore: false, isThreeX: false }
      : await providesOf(system, file, path, scratch);
  if (found.provides !== undefined) return found;
  const name = await factoryName(system, artifactInfo);
  return name === undefined ? found : { ...found, provides: { artifact_name: name }, source: artifactInfo };
}

async function providesOf(system: AdoptSystem, file: Buffer, path: string, scratch: string): Promise<OldProvides> {
  try {
    const values = readMenderStore(file);
    demandIdle(values, path);
    const isThreeX = values.has(TOKEN_OF_THREE_X);
    return { provides: providesIn(values, path), source: path, hasStore: true, isThreeX };
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error;
    if (error instanceof EmptyStore) throw unreadable(path, `${error.message}; ${IF_LOST}`, error);
    const answer = await askAboutCopy(system, file, scratch);
    if (answer === undefined) {
      throw unreadable(path, `${error.message}, and neither ${PROGRAMS.join(" nor ")} is installed to ask`, error);
    }
    // A client that cannot open its store begins a new one, and knows nothing.
    if (answer.provides === undefined) {
      throw unreadable(path, `${error.message}, and '${answer.source}' knows of nothing installed; ${IF_LOST}`, error);
    }
    return { ...answer, hasStore: true, isThreeX: false };
  }
}

/** The old client's services that run now; none where there is no systemd. */
export async function runningServices(system: AdoptSystem): Promise<readonly string[]> {
  try {
    const systemctl = await startProgram(system, {
      command: "systemctl",
      args: ["is-active", ...OLD_SERVICES],
      timeoutMs: PROGRAM_MS_MAX,
      killGraceMs: KILL_GRACE_MS,
      answerBytesMax: ANSWER_BYTES_MAX,
      // It complains where systemd does not run: then no service does.
      onLine: () => undefined,
    });
    await systemctl.ended;
    const states = systemctl.answer().split("\n");
    return OLD_SERVICES.filter((_, index) => states[index] === "active");
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return [];
  }
}
