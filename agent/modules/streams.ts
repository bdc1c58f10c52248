import type { PayloadFile } from "@upkeep/shared/artifact";
import { type FifoWriter, isSystemError, LinkedController, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { Program, ProgramEnd } from "../programs/program.ts";
import { interruptible, orAborted, pump } from "./flow.ts";

/** Intervals, in milliseconds, of checking whether the module has opened a FIFO: the first and the longest. */
const LOOK = { firstMs: 1, lastMs: 250 } as const;

/** Why streaming ended early: the module is gone. Never leaves this file. */
class ModuleGone extends Error {}

/** The streams of one Download call. The module opens and closes its end of the FIFOs as it likes. */
export interface StreamsOptions {
  readonly system: Pick<System, "files" | "timers">;
  readonly tree: string;
  /** `DownloadWithFileSizes` was called: each name is followed by its size. */
  readonly withSizes: boolean;
  /** Unsigned files may arrive: they get `streams-augment/`. */
  readonly augmented: boolean;
  /** Ends when the reading side must end too, such as the shutdown of the agent. */
  readonly signal: AbortSignal;
}

/** Create what the module expects at its start: `stream-next` and an empty `streams/`. */
export async function createStreams({ system, tree, augmented }: StreamsOptions): Promise<void> {
  await system.files.makeDirectory(`${tree}/streams`, 0o700);
  if (augmented) await system.files.makeDirectory(`${tree}/streams-augment`, 0o700);
  await system.files.makeFifo(`${tree}/stream-next`, 0o600);
}

export async function removeStreams({ system, tree }: StreamsOptions): Promise<void> {
  await system.files.remove(`${tree}/stream-next`);
  await system.files.remove(`${tree}/streams`);
  await system.files.remove(`${tree}/streams-augment`);
}

/**
 * Hand a payload to a module that runs `Download`, through the FIFOs, one file after the other.
 * No thread blocks: the FIFO is checked at growing intervals until the module opens it.
 * @returns How the module ended, and whether it opened any stream; `complete` if it read everything, the empty line at
 *   the end included. That line is written only after `files` has ended, that is, after the whole artifact is verified.
 * @throws The errors of reading `files`. The module has been ended then.
 */
export async function streamFiles(
  options: StreamsOptions,
  program: Program,
  files: AsyncIterable<PayloadFile>,
): Promise<{ readonly end: ProgramEnd; readonly asked: boolean; readonly complete: boolean }> {
  const gone = new LinkedController(options.signal);
  const ended = program.ended.then((end) => {
    gone.abort(new ModuleGone());
    gone.release();
    return end;
  });
  const { signal } = gone;
  const next = `${options.tree}/stream-next`;
  let asked = false;
  let complete = false;
  const open = (path: string): Promise<FifoWriter> => openWhenRead(options.system, path, signal);
  try {
    let list: FifoWriter | undefined = await open(next);
    asked = true;
    try {
      for await (const file of interruptible(files, signal)) {
        const path = `${file.augmented ? "streams-augment" : "streams"}/${file.name}`;
        await options.system.files.makeFifo(`${options.tree}/${path}`, 0o600);
        const size = options.withSizes ? ` ${file.sizeBytes}` : "";
        await list.write(new TextEncoder().encode(`${path}${size}\n`), signal);
        await list.close();
        list = undefined;
        await sendFile(await open(`${options.tree}/${path}`), file, signal);
        await options.system.files.remove(`${options.tree}/${path}`);
        list = await open(next);
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
  return { end: await orAborted(ended, options.signal), asked, complete };
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

async function openWhenRead(
  { files, timers }: StreamsOptions["system"],
  path: string,
  signal: AbortSignal,
): Promise<FifoWriter> {
  for (let delayMs: number = LOOK.firstMs; ; delayMs = Math.min(delayMs * 2, LOOK.lastMs)) {
    signal.throwIfAborted();
    const writer = await files.openFifo(path);
    if (writer !== undefined) return writer;
    await timers.sleep(delayMs, signal);
  }
}

/** A module that exited with 0 must have read each file that it opened. */
export function incompleteStream(payloadType: string): AgentError {
  return new AgentError(
    "module-stream-incomplete",
    `the update module ${JSON.stringify(payloadType)} ended its Download before it had read the payload to its end`,
  );
}
