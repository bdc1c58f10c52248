import type { StateScript } from "@upkeep/shared/artifact";
import type { Logger } from "@upkeep/shared/logging";
import { createDirectoryDurably, type Files, isSystemError, readTextFile, type System } from "@upkeep/shared/system";
import type { NoexecPrograms } from "../config/settings.ts";
import { AgentError } from "../errors.ts";
import { startExecutable } from "../programs/executable.ts";
import { describeEnd, type ProgramEnd } from "../programs/program.ts";

/** The exit code that asks to run the script again later. */
const RETRY_LATER = 21;

/** Supported values of the `version` file beside the scripts. */
const VERSIONS = ["2", "3"];

export interface StateScriptsOptions {
  readonly system: Pick<System, "files" | "processes" | "timers" | "clock">;
  readonly logger: Logger;
  /** Scripts of the root file system: Idle, Sync and Download. */
  readonly rootfsDirectory: string;
  /** Scripts of the artifact: all others. */
  readonly artifactDirectory: string;
  readonly timeoutMs: number;
  readonly retryTimeoutMs: number;
  readonly retryIntervalMs: number;
  readonly killGraceMs: number;
  /** How to treat scripts on a file system that is mounted noexec. */
  readonly noexec: NoexecPrograms;
  readonly signal: AbortSignal;
}

/** State scripts: programs that run when a state is entered, left or failed. */
export class StateScripts {
  readonly #options: StateScriptsOptions;

  constructor(options: StateScriptsOptions) {
    this.#options = options;
  }

  /**
   * Run a set, such as `ArtifactInstall_Enter`, in the order of the names. It ends with the first failure, except for
   * Error scripts or when `all` is set: then all run.
   * @throws AgentError `script-failed` or `scripts-version-unsupported`; the signal's reason.
   */
  async run(set: string, all = set.endsWith("_Error")): Promise<void> {
    const { system, rootfsDirectory, artifactDirectory } = this.#options;
    const directory = set.startsWith("Artifact") ? artifactDirectory : rootfsDirectory;
    const names = await this.#scriptsOf(directory, set);
    if (names.length === 0) return;
    await checkVersion(system.files, directory);
    let failure: unknown;
    for (const name of names) {
      try {
        await this.#runWithRetries(`${directory}/${name}`, name);
      } catch (error) {
        this.#options.signal.throwIfAborted();
        if (!all) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  }

  async #scriptsOf(directory: string, set: string): Promise<string[]> {
    const { system, logger } = this.#options;
    const names: string[] = [];
    for (const { name } of await listIfThere(system.files, directory)) {
      if (!name.startsWith(`${set}_`) || !/^\d\d(_\S+)?$/.test(name.slice(set.length + 1))) continue;
      if (await system.files.isExecutable(`${directory}/${name}`)) names.push(name);
      else logger.warning(`state script ${directory}/${name} is not executable and is left out`);
    }
    return names;
  }

  async #runWithRetries(path: string, name: string): Promise<void> {
    const { system, logger, timeoutMs, retryTimeoutMs, retryIntervalMs, signal } = this.#options;
    let deadline: number | undefined;
    for (;;) {
      const limitMs = deadline === undefined ? timeoutMs : Math.min(timeoutMs, deadline - system.clock.monotonic());
      const end = await this.#runOnce(path, name, limitMs);
      if (end.kind === "exited" && end.code === 0) return;
      if (end.kind === "stopped") signal.throwIfAborted();
      if (end.kind !== "exited" || end.code !== RETRY_LATER) {
        throw new AgentError("script-failed", `state script ${name} ${describeEnd(end, limitMs)}`);
      }
      deadline ??= system.clock.monotonic() + retryTimeoutMs;
      const leftMs = deadline - system.clock.monotonic();
      if (leftMs > retryIntervalMs)
        logger.info(`state script ${name} asks to be run again, in ${retryIntervalMs / 1000} s`);
      await system.timers.sleep(Math.min(retryIntervalMs, leftMs), signal);
      // A script that starts after its deadline would be ended at once.
      if (system.clock.monotonic() >= deadline) {
        throw new AgentError(
          "script-failed",
          `state script ${name} still asked to be run again after ${retryTimeoutMs / 1000} s`,
        );
      }
    }
  }

  async #runOnce(path: string, name: string, timeoutMs: number): Promise<ProgramEnd> {
    const { system, logger, killGraceMs, noexec, signal } = this.#options;
    logger.debug(`state script ${name}`);
    const onLine = (line: string): void => logger.info(`state script ${name}: ${line}`);
    try {
      const spec = { command: path, args: [], timeoutMs, killGraceMs, signal, onLine };
      const program = await startExecutable(system, spec, noexec);
      return await program.ended;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new AgentError("script-failed", `state script ${name} cannot be started: ${error.message}`, {
        cause: error,
      });
    }
  }
}

async function listIfThere(files: Files, directory: string): ReturnType<Files["list"]> {
  try {
    return await files.list(directory);
  } catch (error) {
    if (isSystemError(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

async function checkVersion(files: Files, directory: string): Promise<void> {
  const version = (await readTextFile(files, `${directory}/version`, 1024))?.trim();
  if (version === undefined || VERSIONS.includes(version)) return;
  throw new AgentError(
    "scripts-version-unsupported",
    `${directory}/version is ${JSON.stringify(version)}; supported are ${VERSIONS.join(" and ")}`,
  );
}

/** Replace the previous artifact's scripts by those of this one, durably. */
export async function storeScripts(files: Files, directory: string, scripts: readonly StateScript[]): Promise<void> {
  await files.remove(directory);
  await createDirectoryDurably(files, directory, 0o700);
  if (scripts.length === 0) return;
  const all = [...scripts, { name: "version", content: new TextEncoder().encode("3") }];
  for (const { name, content } of all) {
    const handle = await files.open(`${directory}/${name}`, "exclusive", 0o700);
    try {
      await handle.write(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
  await files.syncDirectory(directory);
}
