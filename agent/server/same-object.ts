import type { HttpHeaders, HttpResponse } from "@upkeep/shared/system";
import { header } from "./answers.ts";

/** Facts that show whether a later answer has the same object as the first one. */
export interface ObjectFacts {
  /** As the server sent it; a weak one begins with `W/`. */
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** Bytes of the whole object. */
  readonly sizeBytes: number | undefined;
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text.trim()) ? Number(text) : undefined;
}

/** The facts in an answer with the whole object (200). */
export function factsOfWhole(headers: HttpHeaders): ObjectFacts {
  return {
    etag: header(headers, "etag"),
    lastModified: header(headers, "last-modified"),
    sizeBytes: wholeNumber(header(headers, "content-length")),
  };
}

/** Headers that request the object from `offset` up to `end` or to its end, provided that it is unchanged. */
export function resumeHeaders(
  { etag, sizeBytes }: ObjectFacts,
  offset: number,
  end = sizeBytes,
): Record<string, string> {
  const range = { range: `bytes=${offset}-${end === undefined ? "" : end - 1}` };
  // Only a strong validator may be used for a range (RFC 9110, 13.1.5).
  const validator = etag?.startsWith('"') ? etag : undefined;
  return validator === undefined ? range : { ...range, "if-range": validator };
}

/** What an answer to a request for the bytes from `offset` on has. */
export type Continuation =
  /** `surplusBytes`: how many bytes before the first missing one its body begins. */
  | { readonly kind: "goes-on"; readonly surplusBytes: number; readonly facts: ObjectFacts }
  | { readonly kind: "changed"; readonly difference: string };

function difference(first: ObjectFacts, now: ObjectFacts): string | undefined {
  const names = ["etag", "lastModified", "sizeBytes"] as const;
  for (const name of names) {
    if (first[name] !== undefined && now[name] !== undefined && first[name] !== now[name]) {
      return `${name} was ${first[name]} and is now ${now[name]}`;
    }
  }
  return undefined;
}

function known(first: ObjectFacts, now: ObjectFacts): ObjectFacts {
  return {
    etag: first.etag ?? now.etag,
    lastModified: first.lastModified ?? now.lastModified,
    sizeBytes: first.sizeBytes ?? now.sizeBytes,
  };
}

/** Judge a 200 or 206 that answers a request for the bytes from `offset` on. */
export function continuation(first: ObjectFacts, offset: number, answer: HttpResponse): Continuation {
  if (answer.status === 200) {
    // The whole object: the server does not support ranges, or the object has changed.
    const now = factsOfWhole(answer.headers);
    const changed = difference(first, now);
    if (changed !== undefined) return { kind: "changed", difference: changed };
    return { kind: "goes-on", surplusBytes: offset, facts: known(first, now) };
  }
  const range = header(answer.headers, "content-range") ?? "";
  const [, from, size] = /^bytes (\d+)-\d+\/(\d+|\*)$/i.exec(range.trim()) ?? [];
  if (from === undefined || Number(from) > offset) {
    return { kind: "changed", difference: `bytes from ${offset} on were asked for, and '${range}' was sent` };
  }
  const { etag, lastModified } = factsOfWhole(answer.headers);
  const now = { etag, lastModified, sizeBytes: size === "*" ? undefined : wholeNumber(size) };
  const changed = difference(first, now);
  if (changed !== undefined) return { kind: "changed", difference: changed };
  return { kind: "goes-on", surplusBytes: offset - Number(from), facts: known(first, now) };
}
