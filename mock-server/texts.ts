import { wellFormed } from "@upkeep/shared/text";

/** What stands for a letter that cannot be kept, as in the reference. */
const REPLACEMENT = "\ufffd";
const LONE_SURROGATE = /\p{Surrogate}/u;

/** A text that every database keeps as it is: without NUL and without halves of surrogate pairs. */
export function keepableText(text: string): string {
  return wellFormed(text.replaceAll("\0", REPLACEMENT));
}

/** A JSON value in which every text and every name is {@link keepableText}. Of names that become the same the last counts. */
export function keepable(value: unknown): unknown {
  if (typeof value === "string") return keepableText(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(keepable);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [keepableText(name), keepable(item)]));
}

/** The first text or name in a JSON value that has half of a surrogate pair; that half as its escape. */
export function loneSurrogateIn(value: unknown): string | undefined {
  if (typeof value === "string") {
    const [half] = LONE_SURROGATE.exec(value) ?? [];
    return half === undefined ? undefined : `\\u${half.charCodeAt(0).toString(16)}`;
  }
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, item] of Object.entries(value)) {
    const found = loneSurrogateIn(name) ?? loneSurrogateIn(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

const LENIENT_UTF8 = new TextDecoder("utf-8");

/** Bytes that a device sent, as text. A byte that is not UTF-8 is replaced, as the reference does: it must not keep the rest away. */
export function deviceText(bytes: Uint8Array): string {
  return LENIENT_UTF8.decode(bytes);
}
