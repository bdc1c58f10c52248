import { given } from "@upkeep/shared/given";
import { type Files, readChunks } from "@upkeep/shared/system";
import { AgentError } from "../../errors.ts";

/** Limit of a line, which has a file's name and size. */
const LINE_BYTES_MAX = 8192;

/** The capacity of a pipe. */
const PIPE_BYTES = 64 * 1024;

/** The payload file that is offered, as `stream-next` names it. */
export interface OfferedFile {
  /** Path of the FIFO with its content. */
  readonly path: string;
  /** Absent if the client does not send it. */
  readonly sizeBytes?: number;
}

/** Reads a FIFO until the writer closes it. Waits for a writer. */
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

/**
 * @param withSize Whether the size follows the name, as in `DownloadWithFileSizes`.
 * @throws AgentError `stream-invalid`.
 */
export function parseOffer(
  line: string,
  withSize: boolean,
): { readonly name: string; readonly sizeBytes: number | undefined } {
  const [, name, size] = (withSize ? /^(streams\/[^/\n]+) (\d+)$/ : /^(streams\/[^/\n]+)$/).exec(line) ?? [];
  const sizeBytes = size === undefined ? undefined : Number(size);
  const usable = sizeBytes === undefined || Number.isSafeInteger(sizeBytes);
  if (name !== undefined && name !== "streams/." && name !== "streams/.." && usable) return { name, sizeBytes };
  const form = withSize ? "streams/<name> <size>" : "streams/<name>";
  throw new AgentError("stream-invalid", `stream-next offers ${JSON.stringify(line)}, not ${form}`);
}

/**
 * The next file of the payload.
 * @returns `undefined` at the end of the payload.
 * @throws AgentError `stream-invalid`.
 */
export async function nextFile(files: Files, workTree: string, withSize: boolean): Promise<OfferedFile | undefined> {
  const line = await readLine(files, `${workTree}/stream-next`);
  if (line === "") return undefined;
  const { name, sizeBytes } = parseOffer(line, withSize);
  return { path: `${workTree}/${name}`, ...given({ sizeBytes }) };
}

/** The content of an offered file, as it arrives. */
export async function* contentOf(files: Files, { path }: OfferedFile): AsyncGenerator<Uint8Array> {
  const handle = await files.open(path, "read");
  try {
    yield* readChunks(handle, PIPE_BYTES);
  } finally {
    await handle.close();
  }
}
