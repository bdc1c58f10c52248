import type { Provides } from "./provides.ts";

/** What an artifact needs of a device: for each key, the values that will do. */
export type Depends = Readonly<Record<string, string | readonly string[]>>;

/** One need that is not met. */
export interface Mismatch {
  readonly key: string;
  readonly wanted: readonly string[];
  /** `undefined`: the device provides nothing under this key. */
  readonly provided: string | undefined;
}

/**
 * Every need of an artifact that a device does not meet, in the order of the keys.
 * Values are compared exactly, case included; one of the wanted values is enough.
 * The only matching of depends against provides: the agent asks it before it installs, the server before
 * it offers.
 */
export function mismatches(depends: Depends, provides: Provides): Mismatch[] {
  return Object.keys(depends)
    .sort()
    .flatMap((key) => {
      const value = depends[key];
      const wanted = value === undefined ? [] : typeof value === "string" ? [value] : value;
      const provided = Object.hasOwn(provides, key) ? provides[key] : undefined;
      return provided !== undefined && wanted.includes(provided) ? [] : [{ key, wanted, provided }];
    });
}

/** For a person: what was needed and what is there. */
export function describeMismatch({ key, wanted, provided }: Mismatch): string {
  const needs = wanted.length === 1 ? `"${wanted[0]}"` : `one of ${wanted.map((value) => `"${value}"`).join(", ")}`;
  const has = provided === undefined ? "nothing" : `"${provided}"`;
  return `${key}: the artifact needs ${needs}, the device provides ${has}`;
}
