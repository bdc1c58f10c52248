import type { Provides } from "./provides.ts";

/** The depends of an artifact: the accepted values of each key. */
export type Depends = Readonly<Record<string, string | readonly string[]>>;

/** One unmet dependency. */
export interface Mismatch {
  readonly key: string;
  readonly wanted: readonly string[];
  /** `undefined`: the device provides nothing under this key. */
  readonly provided: string | undefined;
}

/**
 * Every unmet dependency of an artifact on a device, in the order of the keys. Values are compared exactly, case
 * included; one of the accepted values is enough. This is the only matching of depends against provides: the agent
 * runs it before it installs, the server before it offers.
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

/** Describes the needed and the provided value, for a person. */
export function describeMismatch({ key, wanted, provided }: Mismatch): string {
  const needs = wanted.length === 1 ? `"${wanted[0]}"` : `one of ${wanted.map((value) => `"${value}"`).join(", ")}`;
  const has = provided === undefined ? "nothing" : `"${provided}"`;
  return `${key}: the artifact needs ${needs}, the device provides ${has}`;
}
