export { type JsonShape, jsonShape } from "./json-shape.ts";

/**
 * Characters that are harmful on a terminal or in a line: C0 and C1 controls (escape sequences, line breaks, NUL), line
 * and paragraph separators, embeddings, overrides and isolates of the writing direction, and lone surrogates, which
 * UTF-8 cannot encode.
 */
const HARMFUL = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
const ALL_HARMFUL = new RegExp(HARMFUL, "gu");
const ALL_HARMFUL_BUT_LINE_FEEDS = /(?!\n)[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const ALL_LONE_SURROGATES = /\p{Cs}/gu;

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escaped(character: string): string {
  return SHORT_ESCAPES[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Escapes the harmful characters of a text from outside, for one line on a terminal. */
export function printable(text: string): string {
  return HARMFUL.test(text) ? text.replace(ALL_HARMFUL, escaped) : text;
}

/** {@link printable}, for a text of several lines. */
export function printableLines(text: string): string {
  return HARMFUL.test(text) ? text.replace(ALL_HARMFUL_BUT_LINE_FEEDS, escaped) : text;
}

/** The first harmful character of a text as `U+001B`; `undefined` if it has none. */
export function harmfulCharacter(text: string): string | undefined {
  const found = HARMFUL.exec(text)?.[0];
  return found === undefined ? undefined : `U+${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Replaces lone surrogates by U+FFFD, as every UTF-8 encoder does. */
export function wellFormed(text: string): string {
  return text.replace(ALL_LONE_SURROGATES, "\ufffd");
}

export { wantsColours } from "./colours.ts";
export { DURATION_EXAMPLES, durationMs } from "./durations.ts";
