import { invalid } from "../errors.ts";

/** Limits far above the needs of real clients. */
const LIMITS = {
  partHeaderBytes: 16 * 1024,
  parts: 100,
  boundaryCharacters: 70,
} as const;

/** One part of a multipart body. Read `content` to its end before asking for the next part. */
export interface Part {
  /** From Content-Disposition, in lower case; empty if there is none. */
  readonly name: string;
  readonly content: AsyncIterable<Uint8Array>;
}

const EMPTY = Buffer.alloc(0);
const HEADERS_END = Buffer.from("\r\n\r\n");

/** @returns `undefined` if the media type is not multipart/form-data or multipart/mixed. */
export function boundaryOf(contentType: string | undefined): string | undefined {
  const match = /^multipart\/(?:form-data|mixed)\s*;(?<parameters>.*)$/is.exec(contentType?.trim() ?? "");
  if (match === null) return undefined;
  const parameter = /(?:^|;)\s*boundary=(?:"(?<quoted>[^"]*)"|(?<plain>[^\s;]+))/i.exec(match.groups?.parameters ?? "");
  const boundary = parameter?.groups?.quoted ?? parameter?.groups?.plain ?? "";
  if (boundary === "" || boundary.length > LIMITS.boundaryCharacters) {
    throw invalid(`Content-Type names no usable boundary: ${JSON.stringify(contentType)}`);
  }
  return boundary;
}

/** Received bytes that were not consumed yet. */
class Incoming {
  readonly #source: AsyncIterator<Uint8Array>;
  buffer: Buffer = EMPTY;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Waits for more bytes. @throws DomainError at the end of the body. */
  async more(where: string): Promise<void> {
    const { value, done } = await this.#source.next();
    if (done === true) throw invalid(`the multipart body ends early, in ${where}`);
    const chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    this.buffer = this.buffer.length === 0 ? chunk : Buffer.concat([this.buffer, chunk]);
  }

  /** Stops reading the source. */
  async release(): Promise<void> {
    await this.#source.return?.();
  }

  take(count: number): Buffer {
    const taken = this.buffer.subarray(0, count);
    this.buffer = this.buffer.subarray(count);
    return taken;
  }
}

/** Yields the bytes before `delimiter`, and consumes the delimiter. */
async function* upTo(incoming: Incoming, delimiter: Buffer, where: string): AsyncGenerator<Uint8Array> {
  for (;;) {
    const at = incoming.buffer.indexOf(delimiter);
    if (at >= 0) {
      if (at > 0) yield incoming.take(at);
      incoming.take(delimiter.length);
      return;
    }
    // Keeps bytes that may be the beginning of the delimiter.
    const safe = incoming.buffer.length - (delimiter.length - 1);
    if (safe > 0) yield incoming.take(safe);
    await incoming.more(where);
  }
}

/** @returns `undefined` after the last part. */
async function readPartHeaders(incoming: Incoming): Promise<string | undefined> {
  while (incoming.buffer.length < 2) await incoming.more("a boundary");
  if (incoming.buffer.toString("latin1", 0, 2) === "--") return undefined;
  for (;;) {
    const end = incoming.buffer.indexOf(HEADERS_END);
    if (end >= 0 && end <= LIMITS.partHeaderBytes) {
      return incoming.take(end + HEADERS_END.length).toString("utf8");
    }
    if (incoming.buffer.length > LIMITS.partHeaderBytes) {
      throw invalid(`the headers of a part are larger than ${LIMITS.partHeaderBytes} bytes`);
    }
    await incoming.more("the headers of a part");
  }
}

function nameOf(headers: string): string {
  const disposition = /^content-disposition:(?<value>.*)$/im.exec(headers)?.groups?.value ?? "";
  const match = /;\s*name=(?:"(?<quoted>[^"]*)"|(?<plain>[^\s;]+))/i.exec(disposition);
  return (match?.groups?.quoted ?? match?.groups?.plain ?? "").toLowerCase();
}

/**
 * The parts of a multipart body in order, each as a stream; unread bytes of a part are skipped. Memory use does not
 * depend on sizes. The source is released when reading ends, also after an error.
 */
export async function* readParts(source: AsyncIterable<Uint8Array>, boundary: string): AsyncGenerator<Part> {
  const incoming = new Incoming(source);
  try {
    yield* partsOf(incoming, boundary);
  } finally {
    await incoming.release();
  }
}

async function* partsOf(incoming: Incoming, boundary: string): AsyncGenerator<Part> {
  // The first boundary may begin the body: the line end before it is added here.
  incoming.buffer = Buffer.from("\r\n");
  const delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  const skip = async (content: AsyncGenerator<Uint8Array>): Promise<void> => {
    while ((await content.next()).done !== true);
  };
  await skip(upTo(incoming, delimiter, "front of the first part"));
  for (let count = 0; count < LIMITS.parts; count++) {
    const headers = await readPartHeaders(incoming);
    if (headers === undefined) return;
    const name = nameOf(headers);
    // The boundary of an empty part uses the line end of its headers.
    incoming.buffer = Buffer.concat([Buffer.from("\r\n"), incoming.buffer]);
    const content = withoutFirst(upTo(incoming, delimiter, `part ${JSON.stringify(name)}`), 2);
    yield { name, content };
    await skip(content);
  }
  throw invalid(`the multipart body has more than ${LIMITS.parts} parts`);
}

async function* withoutFirst(source: AsyncGenerator<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let dropped = 0;
  for await (const chunk of source) {
    const drop = Math.min(count - dropped, chunk.length);
    dropped += drop;
    if (drop < chunk.length) yield chunk.subarray(drop);
  }
}

/**
 * Reads a part as a short text.
 * @throws DomainError if it is larger than `limitBytes`.
 */
export async function readTextPart(part: Part, limitBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of part.content) {
    total += chunk.length;
    if (total > limitBytes) throw invalid(`${part.name}: longer than ${limitBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
