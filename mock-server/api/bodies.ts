import { SystemError } from "@upkeep/shared/system";
import { jsonShape } from "@upkeep/shared/text";
import { invalid, tooLarge } from "../errors.ts";
import { deviceText, keepable, loneSurrogateIn } from "../texts.ts";
import { HttpError } from "./errors.ts";
import type { RawRequest } from "./route.ts";

/**
 * What is still read of a body that is too large, before it is refused. A client that is told no while it
 * sends sees a broken connection instead of the answer.
 */
const DRAINED_BYTES_MAX = 16 * 1024 * 1024;

/** What an unknown client may send: a login, or the request of a device to be let in, is a few kilobytes. */
export const PUBLIC_BODY_BYTES_MAX = 64 * 1024;
/** Bodies that are short enough to be read without a place in {@link HeldBodies}. */
const SHORT_BYTES = 16 * 1024;
/** What all longer bodies that are being read may take of the memory. */
const HELD_BYTES_MAX = 64 * 1024 * 1024;
const HELD_RETRY_S = 10;

/** Bounds the memory of bodies that have not come whole yet, however many clients send however slowly. */
export class HeldBodies {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax = HELD_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** @throws HttpError (503, with Retry-After) */
  hold(bytes: number): void {
    if (this.#bytes + bytes > this.#bytesMax) {
      const headers = { "retry-after": String(HELD_RETRY_S) };
      throw new HttpError(503, "too many long requests at once; try again later", headers);
    }
    this.#bytes += bytes;
  }

  letGo(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** Which status tells a device or a user that the body is too large. */
export type TooLargeStatus = 400 | 413;

/**
 * A whole body, exactly as it was sent, whether it came with a length or in chunks.
 * @throws DomainError if it is larger than `limitBytes`.
 */
export async function readBody(
  request: RawRequest,
  limitBytes: number,
  tooLargeStatus: TooLargeStatus,
  held: HeldBodies = new HeldBodies(),
): Promise<Buffer> {
  const announced = Number(request.headers["content-length"]);
  if (announced <= Math.min(limitBytes, SHORT_BYTES)) return await readAnnounced(request);
  const chunks: Buffer[] = [];
  let total = 0;
  let holding = 0;
  try {
    // Not destroyed when we stop: the answer goes back over the same connection.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      const { length } = chunk as Buffer;
      total += length;
      if (total > DRAINED_BYTES_MAX) break;
      if (total > limitBytes) {
        chunks.length = 0;
        continue;
      }
      held.hold(length);
      holding += length;
      chunks.push(chunk as Buffer);
    }
  } finally {
    held.letGo(holding);
  }
  if (total <= limitBytes) return Buffer.concat(chunks);
  const message = `the request's body is larger than ${limitBytes} bytes`;
  throw tooLargeStatus === 413 ? tooLarge(message) : invalid(message);
}

/** A body whose length was told and is within bounds: most of them, in one piece. */
function readAnnounced(request: RawRequest): Promise<Buffer> {
  return new Promise((resolve, reject) => readAtOnce(request, resolve, reject));
}

/** Read a body to its end. @param broken Called instead if the client breaks off. */
export function readAtOnce(request: RawRequest, whole: (body: Buffer) => void, broken: (error: Error) => void): void {
  let first: Buffer | undefined;
  let more: Buffer[] | undefined;
  request.on("data", (chunk: Buffer) => {
    if (first === undefined) first = chunk;
    else if (more === undefined) more = [first, chunk];
    else more.push(chunk);
  });
  request.on("end", () => whole(more === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(more)));
  request.on("close", () => {
    if (!request.readableEnded) broken(new SystemError("ECONNRESET", "the client broke off its request"));
  });
}

type Headers = RawRequest["headers"];

function mediaTypeOf(headers: Headers): string | undefined {
  return headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
}

/** True if the body is a form. */
export function isForm(headers: Headers): boolean {
  return mediaTypeOf(headers) === "application/x-www-form-urlencoded";
}

/** The fields of a form; of several of one name all. */
export function parseForm(body: Uint8Array): Readonly<Record<string, string | readonly string[]>> {
  const fields = new URLSearchParams(new TextDecoder().decode(body));
  const names = new Set(fields.keys());
  const values = (name: string): string | readonly string[] => {
    const [first = "", ...others] = fields.getAll(name);
    return others.length === 0 ? first : [first, ...others];
  };
  return Object.fromEntries([...names].map((name) => [name, values(name)]));
}

/**
 * The media type must be JSON if a length announces a body. Clients that send in chunks are not
 * asked: the real ones do not all say what they send.
 * @param orForm It may also be a form.
 */
export function checkJsonContent(headers: Headers, orForm = false): void {
  if (headers["content-type"] === "application/json") return;
  if (!(Number(headers["content-length"] ?? 0) > 0)) return;
  const type = mediaTypeOf(headers);
  if (type === "application/json" || (orForm && isForm(headers))) return;
  if (type === undefined || !/^[^\s/]+\/[^\s/]+$/.test(type)) {
    throw invalid(`Content-Type ${JSON.stringify(headers["content-type"] ?? "")} is no media type`);
  }
  throw new HttpError(415, "Bad Content-Type, expected 'application/json'");
}

/** Deeper than any request of the protocol; what works on a value may do so by recursion. */
const JSON_DEPTH_MAX = 64;
const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** NUL, written as an escape: no text that we keep may have it, and one of the databases cannot. */
const ESCAPED_NUL = /(?<!\\)(?:\\\\)*\\u0000/;
const ESCAPED_SURROGATE = /\\u[dD][89a-fA-F]/;

/** A user's body. @throws DomainError naming the position at which it stops being JSON, or what cannot be kept. */
export function parseJson(body: Uint8Array): unknown {
  const { value, text } = parse(body, (bytes) => UTF8.decode(bytes));
  if (ESCAPED_NUL.test(text)) throw invalid("the request's body has a NUL character (\\u0000)");
  const half = ESCAPED_SURROGATE.test(text) ? loneSurrogateIn(value) : undefined;
  if (half !== undefined) throw invalid(`the request's body has half of a surrogate pair (${half})`);
  return value;
}

/**
 * A device's body: what cannot be kept of a text is replaced, for a device that is refused would send the same again
 * for ever.
 * @throws DomainError naming the position at which it stops being JSON.
 */
export function parseDeviceJson(body: Uint8Array): unknown {
  const { value, text } = parse(body, deviceText);
  return ESCAPED_NUL.test(text) || ESCAPED_SURROGATE.test(text) ? keepable(value) : value;
}

function parse(body: Uint8Array, decode: (bytes: Uint8Array) => string): { value: unknown; text: string } {
  const parsed = read(body, decode);
  // A short text cannot nest deeply.
  if (body.length > JSON_DEPTH_MAX && jsonShape(body).depth > JSON_DEPTH_MAX) {
    throw invalid(`the request's body is nested deeper than ${JSON_DEPTH_MAX} levels`);
  }
  return parsed;
}

function read(body: Uint8Array, decode: (bytes: Uint8Array) => string): { value: unknown; text: string } {
  try {
    const text = decode(body);
    return { value: JSON.parse(text), text };
  } catch (error) {
    throw invalid(`the request's body is not JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
