import { harmfulCharacter, printable } from "../text/index.ts";
import { PROTOCOL_LIMITS, PROVIDES_LIMITS } from "./limits.ts";

/** The reason why a text is no valid name or value in an artifact; `undefined` if it is valid. */
export function textFault(text: string, max: number = PROTOCOL_LIMITS.textMax): string | undefined {
  if (text.length > max) return `must have at most ${max} characters, not ${text.length}`;
  const harmful = harmfulCharacter(text);
  if (harmful === undefined) return undefined;
  return `must have no control characters, line breaks, direction overrides or lone surrogates, but has ${harmful}`;
}

/** The reason why a text is no valid key of a provide or a depend; `undefined` if it is valid. */
export function keyFault(key: string): string | undefined {
  if (key === "") return "a key is empty";
  const fault = textFault(key, PROVIDES_LIMITS.keyMax);
  return fault === undefined ? undefined : `the key ${shown(key)} ${fault}`;
}

/** The reason why these provides do not fit in a poll; `undefined` if they fit. */
export function providesFault(provides: Readonly<Record<string, string>>): string | undefined {
  const entries = Object.entries(provides);
  if (entries.length > PROVIDES_LIMITS.entriesMax) return providesSizeFault(provides);
  for (const [key, value] of entries) {
    const fault = keyFault(key);
    if (fault !== undefined) return fault;
    const valueFault = textFault(value);
    if (valueFault !== undefined) return `the value of ${shown(key)} ${valueFault}`;
  }
  return providesSizeFault(provides);
}

/** The reason why these depends are invalid in a payload; `undefined` if they are valid. */
export function dependsFault(depends: Readonly<Record<string, string | readonly string[]>>): string | undefined {
  const entries = Object.entries(depends);
  const { entriesMax } = PROVIDES_LIMITS;
  if (entries.length > entriesMax) return `must have at most ${entriesMax} keys, not ${entries.length}`;
  for (const [key, value] of entries) {
    const fault = keyFault(key);
    if (fault !== undefined) return fault;
    for (const each of typeof value === "string" ? [value] : value) {
      const valueFault = textFault(each);
      if (valueFault !== undefined) return `a value of ${shown(key)} ${valueFault}`;
    }
  }
  return combinationsFault(depends);
}

/** The reason why no, or too many, combinations (one value for each key) meet all depends; `undefined` if valid. */
export function combinationsFault(depends: Readonly<Record<string, string | readonly string[]>>): string | undefined {
  let count = 1;
  for (const [key, value] of Object.entries(depends)) {
    const values = typeof value === "string" ? 1 : new Set(value).size;
    if (values === 0) return `${shown(key)} must have a value: nothing could meet an empty list`;
    count *= values;
  }
  const { combinationsMax } = PROVIDES_LIMITS;
  return count > combinationsMax
    ? `must have at most ${combinationsMax} combinations of values, not ${count}`
    : undefined;
}

/** The reason why these provides are too large for a poll; `undefined` if they are not. */
export function providesSizeFault(provides: Readonly<Record<string, string>>): string | undefined {
  const { entriesMax, bytesMax } = PROVIDES_LIMITS;
  const entries = Object.keys(provides).length;
  if (entries > entriesMax) return `must have at most ${entriesMax} keys, not ${entries}`;
  const bytes = new TextEncoder().encode(JSON.stringify(provides)).length;
  return bytes > bytesMax ? `must take at most ${bytesMax} bytes as JSON, not ${bytes}` : undefined;
}

function shown(key: string): string {
  return `"${printable(key.length > 60 ? `${key.slice(0, 60)}…` : key)}"`;
}
