export { type JsonShape, jsonShape } from "./json-shape.ts";

/**
 * Characters that do harm where a text meets a terminal or a line: C0 and C1 controls (escape sequences, line
 * breaks, NUL), the line and paragraph separators, embeddings, overrides and isolates of the writing direction, and
 * lone halves of surrogate pairs, which UTF-8 cannot carry.
 */
const HARMFUL = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
const ALL_HARMFUL = new RegExp(HARMFUL, "gu");
const ALL_HARMFUL_BUT_LINE_FEEDS = /(?!\n)[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const ALL_LONE_SURROGATES = /\p{Cs}/gu;

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escaped(character: string): string {
  return SHORT_ESCAPES[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A text from outside as it may be shown on a terminal, within one line: harmful characters are escaped. */
export function printable(text: string): string {
  return HARMFUL.test(text) ? text.replace(ALL_HARMFUL, escaped) : text;
}

/** {@link printable}, for a text that has several lines of its own. */
export function printableLines(text: string): string {
  return HARMFUL.test(text) ? text.replace(ALL_HARMFUL_BUT_LINE_FEEDS, escaped) : text;
}

/** The first harmful character of a text as `U+001B`; `undefined` if it has none. */
export function harmfulCharacter(text: string): string | undefined {
  const found = HARMFUL.exec(text)?.[0];
  return found === undefined ? undefined : `U+${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** A text that UTF-8 can carry: lone halves of surrogate pairs become U+FFFD, as every encoder writes them. */
export function wellFormed(text: string): string {
  return text.replace(ALL_LONE_SURROGATES, "\ufffd");
}
