import { createHash } from "node:crypto";
import { type AnswerChange, type ExchangeAnswer, type ExchangeRequest, rangeStart } from "./exchange.ts";

/** How another object is made of the bytes of the one that is asked for, while they pass. */
export interface ObjectChange {
  /** The new object's size; not larger than `sizeBytes`. */
  readonly sizeBytes: (sizeBytes: number) => number;
  /** @param offset Where `chunk` begins in the object. */
  readonly bytes: (chunk: Uint8Array, offset: number, sizeBytes: number) => Uint8Array;
}

type Headers = NonNullable<ExchangeAnswer["headers"]>;

/**
 * The server has another object behind the link, with an entity tag of its own. A range of it is given as a server
 * does that knows ranges: whole if the request's If-Range names the object as it was before.
 */
export function withObject(change: ObjectChange): AnswerChange {
  return async (request, ask) => {
    const { "if-range": known, ...headers } = request.headers ?? {};
    const part = await ask({ ...request, headers });
    if (part === undefined || (part.status !== 200 && part.status !== 206)) return part;
    if (part.status === 200 || known === undefined || known === tagOf(part)) return changed(part, change);
    part.discard?.();
    const { range: _, ...unconditional } = headers;
    const whole = await ask({ ...request, headers: unconditional });
    return whole?.status === 200 ? changed(whole, change) : whole;
  };
}

/** One bit in the middle of the answer is changed; its headers are as they were. */
export const oneBitChanged: AnswerChange = async (request, ask) => {
  const answer = await ask(request);
  if (answer === undefined || (answer.status !== 200 && answer.status !== 206)) return answer;
  const length = Number(answer.headers?.["content-length"]);
  return {
    ...answer,
    body: mapped(answer, length, (chunk, offset) => withBit(chunk, Math.floor(length / 2) - offset)),
  };
};

/** A copy in which the lowest bit of the byte `at` is another, if it has such a byte. */
export function withBit(chunk: Uint8Array, at: number): Uint8Array {
  if (at < 0 || at >= chunk.length) return chunk;
  const changed = Uint8Array.from(chunk);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}

/** The new object's entity tag. */
function tagOf({ headers }: ExchangeAnswer): string {
  return `"${createHash("sha256").update(String(headers?.etag)).digest("hex")}"`;
}

function changed(answer: ExchangeAnswer, change: ObjectChange): ExchangeAnswer {
  const { headers = {} } = answer;
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(String(headers["content-range"] ?? ""));
  const [start, end, size] =
    range === null
      ? [0, Number(headers["content-length"]), Number(headers["content-length"])]
      : [Number(range[1]), Number(range[2]) + 1, Number(range[3])];
  if (!Number.isSafeInteger(size)) return answer;
  const newSize = change.sizeBytes(size);
  if (start >= newSize && range !== null) {
    answer.discard?.();
    return unsatisfiable({ ...headers, etag: tagOf(answer) }, newSize);
  }
  const newEnd = Math.min(end, newSize);
  return {
    ...answer,
    headers: {
      ...headers,
      etag: tagOf(answer),
      "content-length": String(newEnd - start),
      ...(range === null ? {} : { "content-range": `bytes ${start}-${newEnd - 1}/${newSize}` }),
    },
    body: mapped(answer, newEnd - start, (chunk, offset) => change.bytes(chunk, start + offset, size)),
  };
}

function unsatisfiable(headers: Headers, size: number): ExchangeAnswer {
  return {
    status: 416,
    headers: { ...headers, "content-length": "0", "content-range": `bytes */${size}` },
    body: new Uint8Array(0),
  };
}

/** The first `length` bytes of a body, changed piece by piece. Bytes in memory stay bytes in memory. */
function mapped(
  { body = "" }: ExchangeAnswer,
  length: number,
  change: (chunk: Uint8Array, offset: number) => Uint8Array,
): Uint8Array | AsyncIterable<Uint8Array> {
  if (typeof body === "string") return change(new TextEncoder().encode(body).subarray(0, length), 0);
  if (body instanceof Uint8Array) return change(body.subarray(0, length), 0);
  return (async function* () {
    let offset = 0;
    for await (const chunk of body) {
      const kept = chunk.subarray(0, length - offset);
      if (kept.length > 0) yield change(kept, offset);
      offset += kept.length;
      if (offset >= length) return;
    }
  })();
}

/** `bytes` in place of the object, or the range of it that is asked for. */
export function served(bytes: Uint8Array, etag: string, request: ExchangeRequest): ExchangeAnswer {
  const { range, "if-range": ifRange } = request.headers ?? {};
  const headers = { etag, "accept-ranges": "bytes", "content-type": "application/octet-stream" };
  const match = /^bytes=(\d+)-(\d*)$/.exec(String(range ?? ""));
  if (match === null || (ifRange !== undefined && ifRange !== etag))
    return { status: 200, headers: { ...headers, "content-length": String(bytes.length) }, body: bytes };
  const start = rangeStart(request);
  const end = match[2] === "" ? bytes.length : Math.min(Number(match[2]) + 1, bytes.length);
  if (start >= end) return unsatisfiable(headers, bytes.length);
  return {
    status: 206,
    headers: {
      ...headers,
      "content-length": String(end - start),
      "content-range": `bytes ${start}-${end - 1}/${bytes.length}`,
    },
    body: bytes.subarray(start, end),
  };
}
