/** The part of an object that a request asks for: bytes from `start` up to and without `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** How a GET or HEAD of one object is to be answered. */
export type RangeDecision =
  | { readonly status: 200 | 206; readonly range: ByteRange }
  | { readonly status: 304 | 412 | 416 };

/** What can be asked about, with names in lower case. */
export interface ConditionalHeaders {
  readonly range?: string | undefined;
  readonly "if-range"?: string | undefined;
  readonly "if-match"?: string | undefined;
  readonly "if-none-match"?: string | undefined;
  readonly "if-modified-since"?: string | undefined;
  readonly "if-unmodified-since"?: string | undefined;
}

export interface Representation {
  readonly sizeBytes: number;
  /** A strong entity tag, with its quotes. */
  readonly etag: string;
  /** Milliseconds since the Unix epoch. HTTP dates know whole seconds only. */
  readonly modifiedMs: number;
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

function lists(header: string, etag: string, weakly: boolean): boolean {
  if (header.trim() === "*") return true;
  return header.split(",").some((item) => {
    const tag = item.trim();
    return tag === etag || (weakly && tag === `W/${etag}`);
  });
}

/** Preconditions in the order of RFC 9110, section 13.2.2. */
function failedPrecondition(headers: ConditionalHeaders, object: Representation): 304 | 412 | undefined {
  const modified = wholeSeconds(object.modifiedMs);
  if (headers["if-match"] !== undefined) {
    if (!lists(headers["if-match"], object.etag, false)) return 412;
  } else if (headers["if-unmodified-since"] !== undefined && modified > Date.parse(headers["if-unmodified-since"])) {
    return 412;
  }
  if (headers["if-none-match"] !== undefined)
    return lists(headers["if-none-match"], object.etag, true) ? 304 : undefined;
  const since = headers["if-modified-since"];
  return since !== undefined && modified <= Date.parse(since) ? 304 : undefined;
}

/** @returns The range asked for; `whole` if there is none that we serve; `unsatisfiable` if it lies outside. */
function parseRange(header: string, sizeBytes: number): ByteRange | "whole" | "unsatisfiable" {
  // Several ranges in one request may be answered with the whole object, and are: no client of ours asks for them.
  const match = /^bytes=\s*(\d{0,16})\s*-\s*(\d{0,16})\s*$/i.exec(header);
  if (match === null) return "whole";
  const [, first = "", last = ""] = match;
  if (first === "") {
    if (last === "") return "whole";
    const suffix = Math.min(Number(last), sizeBytes);
    return suffix === 0 ? "unsatisfiable" : { start: sizeBytes - suffix, end: sizeBytes };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return "whole";
  if (start >= sizeBytes) return "unsatisfiable";
  return { start, end: last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes) };
}

/** A range counts only if the object is still the one that the client has a part of. */
function rangeHolds(condition: string | undefined, object: Representation): boolean {
  if (condition === undefined) return true;
  if (condition.startsWith('"')) return condition === object.etag;
  return Date.parse(condition) === wholeSeconds(object.modifiedMs);
}

/** Decide on conditions and ranges (RFC 9110, sections 13 and 14). */
export function decideRange(headers: ConditionalHeaders, object: Representation): RangeDecision {
  const failed = failedPrecondition(headers, object);
  if (failed !== undefined) return { status: failed };
  const whole = { status: 200, range: { start: 0, end: object.sizeBytes } } as const;
  if (headers.range === undefined || !rangeHolds(headers["if-range"], object)) return whole;
  const range = parseRange(headers.range, object.sizeBytes);
  if (range === "whole") return whole;
  return range === "unsatisfiable" ? { status: 416 } : { status: 206, range };
}
