import type { RawReply, RawRequest } from "../../api/route.ts";

/** Observes the bytes of one exchange. */
export interface ExchangeTap {
  requestBytes(chunk: Uint8Array): void;
  answerBytes(chunk: Uint8Array): void;
  /** @param complete False if the connection ended early. */
  ended(status: number, headers: Readonly<Record<string, unknown>>, complete: boolean): void;
}

function bytesOf(chunk: unknown, encoding: unknown): Uint8Array | undefined {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk !== "string") return undefined;
  return Buffer.from(chunk, typeof encoding === "string" ? (encoding as BufferEncoding) : "utf8");
}

/** Headers in the forms that `writeHead` accepts: an object, or alternating names and values. */
function headersOf(given: unknown): Record<string, unknown> {
  if (!Array.isArray(given)) return typeof given === "object" && given !== null ? { ...given } : {};
  const pairs = Array.from({ length: Math.floor(given.length / 2) }, (_, index) =>
    given.slice(2 * index, 2 * index + 2),
  );
  return Object.fromEntries(pairs.map(([name, value]) => [String(name), value]));
}

/**
 * Observes an exchange without changing it. It patches the request and response objects in place, because Node has no
 * hook between them and the handler that sees all bytes.
 */
export function tap(request: RawRequest, response: RawReply, to: ExchangeTap): void {
  const push = request.push.bind(request);
  request.push = (chunk: unknown, encoding?: BufferEncoding) => {
    const bytes = bytesOf(chunk, encoding);
    if (bytes !== undefined) to.requestBytes(bytes);
    return push(chunk, encoding);
  };
  let written: Readonly<Record<string, unknown>> = {};
  const writeHead = response.writeHead.bind(response) as (...given: unknown[]) => RawReply;
  response.writeHead = ((...given: unknown[]) => {
    written = headersOf(given.find((value) => typeof value === "object"));
    return writeHead(...given);
  }) as RawReply["writeHead"];
  const write = response.write.bind(response) as (...given: unknown[]) => boolean;
  response.write = ((...given: unknown[]) => {
    const bytes = bytesOf(given[0], given[1]);
    if (bytes !== undefined) to.answerBytes(bytes);
    return write(...given);
  }) as RawReply["write"];
  const end = response.end.bind(response) as (...given: unknown[]) => RawReply;
  response.end = ((...given: unknown[]) => {
    const bytes = bytesOf(given[0], given[1]);
    if (bytes !== undefined) to.answerBytes(bytes);
    return end(...given);
  }) as RawReply["end"];
  response.once("close", () => {
    to.ended(response.statusCode, { ...response.getHeaders(), ...written }, response.writableFinished);
  });
}
