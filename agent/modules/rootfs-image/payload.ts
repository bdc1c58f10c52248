import { type Files, readChunks } from "@upkeep/shared/system";
import { AgentError } from "../../errors.ts";

/** A line holds a file's name and its size. */
const LINE_BYTES_MAX = 8192;

/** No more than a pipe holds. */
const PIPE_BYTES = 64 * 1024;

/** The payload file that is offered, as `stream-next` names it. */
export interface OfferedFile {
  /** Path of the FIFO with its content. */
  readonly path: string;
  readonly sizeBytes: number;
}

/** All that the other end writes until it closes the FIFO. Waits until somebody opens it for writing. */
async function readLine(files: Files, path: string): Promise<string> {
  const handle = await files.open(path, "read");
  try {
    const chunks: Uint8Array[] = [];
    let total = 0;
    for await (const chunk of readChunks(handle, LINE_BYTES_MAX)) {
      total += chunk.length;
      if (total > LINE_BYTES_MAX) throw new AgentError("stream-invalid", `${path} offers more than one line`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8").replace(/\n$/, "");
  } finally {
    await handle.close();
  }
}

/** @throws AgentError `stream-invalid`. */
export function parseOffer(line: string): { readonly name: string; readonly sizeBytes: number } {
  const [, name, size] = /^(streams\/[^/\n]+) (\d+)$/.exec(line) ?? [];
  const sizeBytes = Number(size);
  if (name !== undefined && name !== "streams/." && name !== "streams/.." && Number.isSafeInteger(sizeBytes)) {
    return { name, sizeBytes };
  }
  throw new AgentError("stream-invalid", `stream-next offers ${JSON.stringify(line)}, not streams/<name> <size>`);
}

/**
 * The next file of the payload, for `DownloadWithFileSizes`.
 * @returns `undefined` at the end of the payload.
 * @throws AgentError `stream-invalid`.
 */
export async function nextFile(files: Files, workTree: string): Promise<OfferedFile | undefined> {
  const line = await readLine(files, `${workTree}/stream-next`);
  if (line === "") return undefined;
  const { name, sizeBytes } = parseOffer(line);
  return { path: `${workTree}/${name}`, sizeBytes };
}

/** The content of an offered file as it comes. */
export async function* contentOf(files: Files, { path }: OfferedFile): AsyncGenerator<Uint8Array> {
  const handle = await files.open(path, "read");
  try {
    yield* readChunks(handle, PIPE_BYTES);
  } finally {
    await handle.close();
  }
}
