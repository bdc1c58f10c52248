import { timeMs } from "@upkeep/shared/protocol";
import { sha256 } from "../digest.ts";

type Scalar = string | number | boolean;
/** The value of an attribute, as its record has it. */
export type IndexedValue = Scalar | readonly Scalar[];

/**
 * Kinds of keys. A key is its kind and, but for the flags, a text whose order by bytes is the order of the values.
 *
 * Every attribute has exactly one key of a lower-case kind; the upper-case ones are additional.
 */
export const KEY_KINDS = {
  boolean: "b",
  list: "l",
  number: "n",
  text: "t",
  elementBoolean: "B",
  elementNumber: "N",
  elementText: "T",
  /** The instant of a text that is a timestamp, or of such an element. */
  instant: "I",
  /** The key of a text or of an element is cut, or may be that of another text. */
  cut: "C",
  /** A list with more than {@link KEY_ELEMENTS_MAX} elements, which have no keys. */
  many: "M",
} as const;

/** Longer texts are cut: PostgreSQL's index rows have at most 2,704 bytes. In characters, so that cutting keeps the order. */
export const KEY_CHARACTERS_MAX = 100;
/** Bounds the keys that one attribute of a device can have. */
export const KEY_ELEMENTS_MAX = 100;

/** Lower-case keys only: all of them are at or above this one. */
export const FIRST_OWN_KEY = "a";

/** The keys of the value of an attribute, without duplicates. */
export function keysOf(value: IndexedValue): string[] {
  if (!Array.isArray(value)) return [...new Set(scalarKeys(value as Scalar, false))];
  const list = value as readonly Scalar[];
  if (list.length > KEY_ELEMENTS_MAX) return [listKey(list), KEY_KINDS.many];
  return [...new Set([listKey(list), ...list.flatMap((element) => scalarKeys(element, true))])];
}

function scalarKeys(value: Scalar, isElement: boolean): string[] {
  const own = isElement ? elementKey(value) : scalarKey(value);
  if (typeof value !== "string") return [own];
  const ms = timeMs(value);
  return [own, ...(ms === undefined ? [] : [instantKey(ms)]), ...(isCut(value) ? [KEY_KINDS.cut] : [])];
}

/** The key of a value that is no list. */
export function scalarKey(value: Scalar): string {
  const { boolean, number, text } = KEY_KINDS;
  if (typeof value === "string") return text + cutText(value);
  return typeof value === "number" ? number + ordered(value) : boolean + Number(value);
}

/** The key of an element of a list. */
export function elementKey(value: Scalar): string {
  return scalarKey(value).replace(/^./u, (kind) => kind.toUpperCase());
}

export function listKey(list: readonly Scalar[]): string {
  return KEY_KINDS.list + sha256(JSON.stringify(list));
}

export function instantKey(ms: number): string {
  return KEY_KINDS.instant + ordered(ms);
}

/** True if other texts may have the same key: it is cut, or has a character that a key cannot have, or stands for it. */
export function isCut(text: string): boolean {
  return isLong(text) || text.includes("\0") || text.includes(INSTEAD_OF_NUL);
}

function isLong(text: string): boolean {
  // No character has more than two units.
  return text.length > KEY_CHARACTERS_MAX && [...text].length > KEY_CHARACTERS_MAX;
}

/** PostgreSQL cannot keep a NUL. A key ends with this one in its place: what follows the NUL would change the order. */
const INSTEAD_OF_NUL = "\u0001";

function cutText(text: string): string {
  const nul = text.indexOf("\0");
  const usable = nul < 0 ? text : text.slice(0, nul) + INSTEAD_OF_NUL;
  return isLong(usable) ? [...usable].slice(0, KEY_CHARACTERS_MAX).join("") : usable;
}

/** The value of a lower-case key, or of an element's; `undefined` for lists and flags. Texts may be cut. */
export function valueOfKey(key: string): Scalar | undefined {
  const rest = key.slice(1);
  switch (key[0]?.toLowerCase()) {
    case KEY_KINDS.text:
      return rest;
    case KEY_KINDS.number:
      return disordered(rest);
    case KEY_KINDS.boolean:
      return rest === "1";
    default:
      return undefined;
  }
}

/** A number as 16 hexadecimal digits, in the order of numbers. */
function ordered(value: number): string {
  const bits = Buffer.alloc(8);
  // Negative zero equals zero.
  bits.writeDoubleBE(value === 0 ? 0 : value);
  flip(bits, (bits[0] ?? 0) >= 0x80);
  return bits.toString("hex");
}

function disordered(hex: string): number {
  const bits = Buffer.from(hex, "hex");
  flip(bits, (bits[0] ?? 0) < 0x80);
  return bits.readDoubleBE();
}

/** Inverts all bits, or the sign alone: the digits of negative numbers grow as the numbers fall. */
function flip(bits: Buffer, all: boolean): void {
  if (!all) bits[0] = (bits[0] ?? 0) ^ 0x80;
  else for (let index = 0; index < bits.length; index += 1) bits[index] = (bits[index] ?? 0) ^ 0xff;
}

/** The keys from `from` up to but without `before`. */
export interface KeySpan {
  readonly from: string;
  readonly before: string;
}

export type KeyRange = { readonly key: string } | KeySpan;

/** All keys of a kind. */
export function wholeKind(kind: string): KeySpan {
  return { from: kind, before: String.fromCharCode(kind.charCodeAt(0) + 1) };
}

/** The keys that begin with `prefix`, which has a kind. */
export function withPrefix(prefix: string): KeySpan {
  const before = afterPrefix(prefix);
  if (before === undefined) throw new RangeError("a key has a kind");
  return { from: prefix, before };
}

const LAST_CHARACTER = 0x10ffff;
const SURROGATES = { first: 0xd800, last: 0xdfff } as const;

/** The least text, by bytes of UTF-8, that is above all texts with this beginning; `undefined` if there is none. */
export function afterPrefix(prefix: string): string | undefined {
  const characters = [...prefix];
  for (;;) {
    const last = characters.pop()?.codePointAt(0);
    if (last === undefined) return undefined;
    if (last === LAST_CHARACTER) continue;
    const next = last + 1 >= SURROGATES.first && last + 1 <= SURROGATES.last ? SURROGATES.last + 1 : last + 1;
    return characters.join("") + String.fromCodePoint(next);
  }
}

/** The keys above a key within its kind, and the key itself if `orEqual`. */
export function above(key: string, orEqual: boolean): KeySpan {
  const { before } = wholeKind(kindOf(key));
  // The least text above another one: that text and a NUL, which no key has; so the next character serves.
  return { from: orEqual ? key : `${key}\u0001`, before };
}

/** The keys below a key within its kind, and the key itself if `orEqual`. */
export function below(key: string, orEqual: boolean): KeySpan {
  return { from: kindOf(key), before: orEqual ? `${key}\u0001` : key };
}

function kindOf(key: string): string {
  return key.slice(0, 1);
}
