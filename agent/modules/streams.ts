import type { PayloadFile } from "@upkeep/shared/artifact";
import { type FifoWriter, type Files, isSystemError, LinkedController } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { Program, ProgramEnd } from "../programs/program.ts";
import { interruptible, orAborted, pump } from "./flow.ts";

/** Why streaming ended early: the module is gone. Never leaves this file. */
class ModuleGone extends Error {}

interface StreamsOptions {
  readonly files: Files;
  readonly tree: string;
  /** `DownloadWithFileSizes` was called: each name is followed by its size. */
  readonly withSizes: boolean;
  /** Unsigned files may arrive: they get `streams-augment/`. */
  readonly augmented: boolean;
  /** Ends when the reading side must end too, such as the shutdown of the agent. */
  readonly signal: AbortSignal;
}

/** How many FIFOs are made at first, how many times those made so far when these are all in use, and at most at once. */
const STOCK = { first: 4, growth: 2, most: 256 } as const;

/**
 * FIFOs that are used in turn. To make one starts a process, and costs the file system far more than to rename it: the
 * same few serve a payload with any number of files.
 */
class FifoStock {
  readonly #files: Files;
  /** Beside the work tree: the module must not see them. */
  readonly #directory: string;
  /** Paths of those that are not in the work tree, the ones that were used longest ago first. */
  readonly #spare: string[] = [];
  #made = 0;
  #returned = 0;

  constructor(files: Files, tree: string) {
    this.#files = files;
    this.#directory = `${tree.slice(0, tree.lastIndexOf("/"))}/fifos`;
  }

  /** Puts a FIFO that no process has open at `path`, in place of what is there. */
  async place(path: string): Promise<void> {
    await this.#files.rename((await this.#unread()) ?? (await this.#make()), path);
  }

  /** Takes the FIFO at `path` away from the module, which may still read what is in it. */
  async takeBack(path: string): Promise<void> {
    const place = `${this.#directory}/returned-${this.#returned++}`;
    await this.#files.rename(path, place);
    this.#spare.push(place);
  }

  async remove(): Promise<void> {
    await this.#files.remove(this.#directory);
  }

  async #unread(): Promise<string | undefined> {
    const oldest = this.#spare.shift();
    if (oldest === undefined || !(await this.#files.isFifoRead(oldest))) return oldest;
    this.#spare.push(oldest);
    return undefined;
  }

  /** Makes more FIFOs. @returns One of them. */
  async #make(): Promise<string> {
    if (this.#made === 0) {
      // What a power cut has left there.
      await this.remove();
      await this.#files.makeDirectory(this.#directory, 0o700);
    }
    const count = Math.min(Math.max(STOCK.first, this.#made * STOCK.growth), STOCK.most);
    const fresh = Array.from({ length: count }, (_, index) => `${this.#directory}/made-${this.#made + index}`);
    this.#made += count;
    await this.#files.makeFifos(fresh, 0o600);
    const [one = "", ...others] = fresh;
    this.#spare.unshift(...others);
    return one;
  }
}

const encoder = new TextEncoder();

/** The FIFOs through which a module gets its payload during one Download call. */
export class Streams {
  readonly #options: StreamsOptions;
  readonly #stock: FifoStock;

  private constructor(options: StreamsOptions) {
    this.#options = options;
    this.#stock = new FifoStock(options.files, options.tree);
  }

  /** Creates what the module expects at its start: `stream-next` and an empty `streams/`. */
  static async create(options: StreamsOptions): Promise<Streams> {
    const { files, tree, augmented } = options;
    const streams = new Streams(options);
    await files.makeDirectory(`${tree}/streams`, 0o700);
    if (augmented) await files.makeDirectory(`${tree}/streams-augment`, 0o700);
    await streams.#stock.place(`${tree}/stream-next`);
    return streams;
  }

  async remove(): Promise<void> {
    const { files, tree } = this.#options;
    await files.remove(`${tree}/stream-next`);
    await files.remove(`${tree}/streams`);
    await files.remove(`${tree}/streams-augment`);
    await this.#stock.remove();
  }

  /**
   * Hands a payload to the module that runs `Download`, one file after the other.
   * @returns How the module ended, and whether it opened any stream; `complete` if it read everything, the empty line at
   *   the end included. That line is written only after `payload` has ended, that is, after the whole artifact is verified.
   * @throws The errors of reading `payload`. The module has been ended then.
   */
  async carry(
    program: Program,
    payload: AsyncIterable<PayloadFile>,
  ): Promise<{ readonly end: ProgramEnd; readonly asked: boolean; readonly complete: boolean }> {
    const { files, tree, withSizes, signal: stop } = this.#options;
    const gone = new LinkedController(stop);
    const ended = program.ended.then((end) => {
      gone.abort(new ModuleGone());
      gone.release();
      return end;
    });
    const { signal } = gone;
    const next = `${tree}/stream-next`;
    let asked = false;
    let complete = false;
    try {
      let list: FifoWriter | undefined = await files.openFifo(next, signal);
      asked = true;
      try {
        for await (const file of interruptible(payload, signal)) {
          const path = `${file.augmented ? "streams-augment" : "streams"}/${file.name}`;
          await this.#stock.place(`${tree}/${path}`);
          const size = withSizes ? ` ${file.sizeBytes}` : "";
          await list.write(encoder.encode(`${path}${size}\n`), signal);
          await list.close();
          list = undefined;
          await sendFile(await files.openFifo(`${tree}/${path}`, signal), file, signal);
          await this.#stock.takeBack(`${tree}/${path}`);
          list = await files.openFifo(next, signal);
        }
        complete = true;
      } finally {
        await list?.close();
      }
    } catch (error) {
      if (!isModulesDoing(error)) {
        program.stop();
        await ended;
        throw error;
      }
      // The module closed its end early. It is about to end, and its exit code says more than a broken pipe.
    }
    return { end: await orAborted(ended, stop), asked, complete };
  }
}

function isModulesDoing(error: unknown): boolean {
  return error instanceof ModuleGone || isSystemError(error, "EPIPE");
}

async function sendFile(writer: FifoWriter, file: PayloadFile, signal: AbortSignal): Promise<void> {
  try {
    await pump(interruptible(file.content, signal), (chunk) => writer.write(chunk, signal));
  } finally {
    await writer.close();
  }
}

/** A module that exited with 0 must have read each file that it opened. */
export function incompleteStream(payloadType: string): AgentError {
  return new AgentError(
    "module-stream-incomplete",
    `the update module ${JSON.stringify(payloadType)} ended its Download before it had read the payload to its end`,
  );
}
