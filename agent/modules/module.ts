import type { PayloadFile } from "@upkeep/shared/artifact";
import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import { isSystemError, type System } from "@upkeep/shared/system";
import type { NoexecPrograms } from "../config/settings.ts";
import { AgentError } from "../errors.ts";
import { startExecutable } from "../programs/executable.ts";
import { describeEnd, type Program, type ProgramEnd } from "../programs/program.ts";
import { ACCEPTS_AUGMENTED, type Permissions, parsePermissions } from "./augmentation.ts";
import { removeStored, type StoringOptions, storeFiles } from "./stored-files.ts";
import { incompleteStream, Streams } from "./streams.ts";

/** The calls that act. */
export type ModuleCall =
  | "Download"
  | "DownloadWithFileSizes"
  | "ArtifactInstall"
  | "ArtifactReboot"
  | "ArtifactVerifyReboot"
  | "ArtifactCommit"
  | "ArtifactRollback"
  | "ArtifactRollbackReboot"
  | "ArtifactVerifyRollbackReboot"
  | "ArtifactFailure"
  | "Cleanup";

/** The calls that ask, with the answers that count. An empty answer means `No`. */
const QUERIES = {
  ProvidePayloadFileSizes: ["No", "Yes"],
  NeedsArtifactReboot: ["No", "Yes", "Automatic"],
  SupportsRollback: ["No", "Yes"],
} as const;

type ModuleQuery = keyof typeof QUERIES;
export type RebootAnswer = (typeof QUERIES)["NeedsArtifactReboot"][number];

/** The calls that ask what is permitted of an augmented artifact. They come before there is a work tree. */
const AUGMENT_QUERIES = [
  "SupportsAugmentedArtifacts",
  "ListSupportedOriginalTypes",
  "PermittedAugmentedHeaders",
] as const;
type AugmentQuery = (typeof AUGMENT_QUERIES)[number];

/**
 * Asks which files, devices and directories may hold parts of the payload: one absolute path a line. One that the
 * module will overwrite from its start is marked `target`, with a space. It comes before there is a work tree.
 */
const SEEDS_QUERY = "AdaptiveSeeds";
/** What such a line may hold. */
const SEED_LINE = /^(target )?(\/.*)$/;

/** The variable that tells a module how to treat programs in its payload that the file system does not let run. */
const NOEXEC_VARIABLE = "UPKEEP_NOEXEC_PROGRAMS";

/** An answer is one word: longer output is ignored. */
const ANSWER_BYTES_MAX = 4096;
const AUGMENT_ANSWER_BYTES_MAX = 64 * 1024;
const SEEDS_ANSWER_BYTES_MAX = 64 * 1024;

export interface ModuleOptions {
  readonly system: Pick<System, "clock" | "files" | "processes" | "timers">;
  readonly logger: Logger;
  /** Absolute path of the executable. */
  readonly executable: string;
  readonly payloadType: string;
  /** The work tree, which is also the module's working directory. */
  readonly tree: string;
  readonly timeoutMs: number;
  readonly killGraceMs: number;
  /** How to treat programs in the payload if the work tree's file system is mounted noexec. */
  readonly noexec: NoexecPrograms;
  /** Ends the call that is under way. */
  readonly signal: AbortSignal;
}

/** How to store a payload if the module does not stream. */
export type Storing = Pick<StoringOptions, "augmented" | "before" | "pace" | "onStored">;

/** A file, device or directory that an update module names. */
export interface NamedSeed {
  readonly path: string;
  readonly isTarget: boolean;
}

/** What a module is called with. */
type Name = ModuleCall | ModuleQuery | AugmentQuery | typeof SEEDS_QUERY;

/** How a call gets the work tree: as its directory too, by name only as there may be none yet, or not at all. */
function treeOf(name: Name, tree: string): { readonly args: readonly string[]; readonly directory?: string } {
  if ((AUGMENT_QUERIES as readonly string[]).includes(name)) return { args: [name] };
  return { args: [name, tree], ...(name === SEEDS_QUERY ? {} : { directory: tree }) };
}

/** An update module: an executable that speaks protocol v3. */
export class UpdateModule {
  readonly #options: ModuleOptions;

  constructor(options: ModuleOptions) {
    this.#options = options;
  }

  /**
   * Run one call to its end.
   * @throws AgentError `module-failed` or `module-timeout`; the signal's reason.
   */
  async call(name: ModuleCall): Promise<void> {
    const program = await this.#start(name);
    this.#demandSuccess(name, await program.ended);
  }

  needsArtifactReboot(): Promise<RebootAnswer> {
    return this.#ask("NeedsArtifactReboot");
  }

  async supportsRollback(): Promise<boolean> {
    return (await this.#ask("SupportsRollback")) === "Yes";
  }

  /** Whether it accepts artifacts with unsigned parts. Any other answer than the expected one means no. */
  async acceptsAugmented(): Promise<boolean> {
    const program = await this.#start("SupportsAugmentedArtifacts", AUGMENT_ANSWER_BYTES_MAX);
    const end = await program.ended;
    if (end.kind === "stopped") this.#options.signal.throwIfAborted();
    return end.kind === "exited" && end.code === 0 && program.answer() === `${ACCEPTS_AUGMENTED}\n`;
  }

  /** The signed payload types that it handles besides its own. */
  async originalTypes(): Promise<string[]> {
    return (await this.#answerTo("ListSupportedOriginalTypes")).split(/\r?\n/).filter((type) => type !== "");
  }

  /** The header fields that the unsigned part of an artifact may override. */
  async permittedHeaders(): Promise<Permissions> {
    return parsePermissions(await this.#answerTo("PermittedAugmentedHeaders"), this.#options.payloadType);
  }

  /** What may hold parts of the payload. A module that does not know the question names nothing. */
  async seeds(): Promise<readonly NamedSeed[]> {
    const program = await this.#start(SEEDS_QUERY, SEEDS_ANSWER_BYTES_MAX);
    const end = await program.ended;
    if (end.kind === "stopped") this.#options.signal.throwIfAborted();
    if (end.kind !== "exited" || end.code !== 0) return [];
    return program
      .answer()
      .split(/\r?\n/)
      .flatMap((line) => {
        const [, target, path] = SEED_LINE.exec(line) ?? [];
        return path === undefined ? [] : [{ path, isTarget: target !== undefined }];
      });
  }

  async #answerTo(query: AugmentQuery): Promise<string> {
    const program = await this.#start(query, AUGMENT_ANSWER_BYTES_MAX);
    this.#demandSuccess(query, await program.ended);
    return program.answer();
  }

  /**
   * Hand over the payload: through FIFOs if the module opens them, stored under `files/` if it does not.
   * @param files Ends well only once the whole artifact is verified.
   * @param storing How to store it. If it is `augmented`, unsigned files are stored in a directory of their own.
   * @throws AgentError `module-…` or `disk-full`; the errors of `files`. The stored files are removed then, unless the
   *   signal stopped the call.
   */
  async download(files: AsyncIterable<PayloadFile>, storing: Storing): Promise<void> {
    const { system, tree, signal, payloadType, logger } = this.#options;
    const { augmented } = storing;
    const withSizes = (await this.#ask("ProvidePayloadFileSizes")) === "Yes";
    const name = withSizes ? "DownloadWithFileSizes" : "Download";
    const streams = await Streams.create({ files: system.files, tree, withSizes, augmented, signal });
    try {
      const { end, asked, complete } = await streams.carry(await this.#start(name), files);
      this.#demandSuccess(name, end);
      if (asked && !complete) throw incompleteStream(payloadType);
      if (asked) return await removeStored(system.files, tree);
    } finally {
      await streams.remove();
    }
    logger.debug(`update module ${payloadType} does not stream: the payload is stored`);
    await storeFiles({ system, tree, signal, ...storing }, files);
  }

  async #ask<Q extends ModuleQuery>(query: Q): Promise<(typeof QUERIES)[Q][number]> {
    const program = await this.#start(query, ANSWER_BYTES_MAX);
    this.#demandSuccess(query, await program.ended);
    const said = program.answer().replace(/\r?\n$/, "");
    const answers: readonly (typeof QUERIES)[Q][number][] = QUERIES[query];
    const answer = said === "" ? answers[0] : answers.find((candidate) => candidate === said);
    if (answer === undefined) {
      throw new AgentError(
        "module-answer-invalid",
        `update module ${this.#options.payloadType} answered ${query} with ${JSON.stringify(said.slice(0, 100))}; known are ${answers.join(", ")}, or nothing`,
      );
    }
    return answer;
  }

  async #start(name: Name, answerBytesMax?: number): Promise<Program> {
    const { system, executable, payloadType, tree, timeoutMs, killGraceMs, noexec, signal, logger } = this.#options;
    logger.debug(`update module ${payloadType}: ${name}`);
    try {
      const spec = {
        command: executable,
        ...treeOf(name, tree),
        environment: { [NOEXEC_VARIABLE]: noexec },
        timeoutMs,
        killGraceMs,
        signal,
        ...given({ answerBytesMax }),
        onLine: (line: string) => logger.info(`update module ${payloadType} ${name}: ${line}`),
      };
      return await startExecutable(system, spec, noexec);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new AgentError("module-not-started", `update module ${executable} cannot be started: ${error.message}`, {
        cause: error,
      });
    }
  }

  #demandSuccess(name: Name, end: ProgramEnd): void {
    if (end.kind === "exited" && end.code === 0) return;
    // The signal carries the reason for the stop.
    if (end.kind === "stopped") this.#options.signal.throwIfAborted();
    const { payloadType, timeoutMs } = this.#options;
    throw new AgentError(
      end.kind === "timed-out" ? "module-timeout" : "module-failed",
      `update module ${payloadType} ${describeEnd(end, timeoutMs)} in ${name}`,
    );
  }
}
