import { recordOf, TIME_HINT, timeMs } from "@upkeep/shared/protocol";
import { readTextFile, type System } from "@upkeep/shared/system";
import * as z from "zod";

/** Larger files are refused: no session that a person reads is so long. */
const FILE_BYTES_MAX = 256 * 1024 * 1024;

const Headers = recordOf(z.string());

/** A binary body, described by size and SHA-256. */
const Bytes = z.strictObject({ size: z.int().min(0), sha256: z.string() });
export type RecordedBytes = z.infer<typeof Bytes>;

/** At most one of `json`, `text` and `bytes`; without any, the body was empty. */
const body = { json: z.unknown().optional(), text: z.string().optional(), bytes: Bytes.optional() };

/** A path, or the name of a secret link. A full URL could name another server, which would get the token. */
const RecordedPath = z
  .string()
  .regex(/^(\/.*|<[\w ]+>)$/s, { error: "must be a path that begins with /, or a link such as <link 1>" });

/** One exchange, as a line of a recording. Secrets are replaced by placeholders such as `<token 1>`. */
export const RecordedExchange = z.strictObject({
  /** Position by the arrival of the request, from 1. */
  n: z.int().min(1),
  /** Arrival of the request, in milliseconds since the recording began. */
  at_ms: z.number().min(0),
  took_ms: z.number().min(0),
  /** d1, d2 …, in the order of their first requests. */
  device: z.string().min(1),
  request: z.strictObject({ method: z.string(), path: RecordedPath, headers: Headers, ...body }),
  answer: z.strictObject({
    status: z.int(),
    headers: Headers,
    ...body,
    /** The connection ended before the answer. */
    broken: z.literal(true).optional(),
  }),
});
export type RecordedExchange = z.infer<typeof RecordedExchange>;

export const RecordingHead = z.strictObject({
  format: z.literal("upkeep-recording"),
  version: z.literal(1),
  /** When the recording began. */
  begun: z.string().refine((text) => timeMs(text) !== undefined, TIME_HINT),
});
export type RecordingHead = z.infer<typeof RecordingHead>;

/** An exchange with its line number in the file. */
export type RecordedLine = RecordedExchange & { readonly line: number };

export interface Recording {
  readonly head: RecordingHead;
  /** In the order of their requests. */
  readonly exchanges: readonly RecordedLine[];
}

/** An unreadable recording; the message names file and line. */
export class RecordingError extends Error {
  override readonly name = "RecordingError";
}

function parsed<T>(schema: z.ZodType<T>, text: string, place: string): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new RecordingError(`${place}: not a line of JSON: ${text.slice(0, 60)}`, { cause: error });
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "line"}: ${message}`);
  throw new RecordingError(`${place}: ${faults.join("; ")}`);
}

/** @param name Of the file, for messages. @throws RecordingError */
export function parseRecording(text: string, name: string): Recording {
  const [first = "", ...rest] = text.split("\n");
  const head = parsed(RecordingHead, first, `${name}:1`);
  const exchanges = rest.flatMap((line, index): RecordedLine[] => {
    const number = index + 2;
    return line.trim() === "" ? [] : [{ ...parsed(RecordedExchange, line, `${name}:${number}`), line: number }];
  });
  return { head, exchanges: exchanges.sort((a, b) => a.n - b.n) };
}

/** @throws RecordingError; SystemError if the file cannot be read. */
export async function readRecording(files: System["files"], path: string, name: string): Promise<Recording> {
  const text = await readTextFile(files, path, FILE_BYTES_MAX);
  if (text === undefined) throw new RecordingError(`${name}: there is no such file`);
  return parseRecording(text, name);
}

/** The directory of a recording's artifacts, beside the file; each is named by its SHA-256. */
export function artifactsBeside(path: string): string {
  return `${path}.artifacts`;
}
