import * as z from "zod/mini";

/**
 * A field that may be absent. `null` means absent: Go, in which the other programs of the protocol are written, reads it
 * so, and writes it for a list that is not set.
 */
export function optional<S extends z.core.$ZodType>(schema: S) {
  const fromNull = z.transform((value: unknown): unknown => value ?? undefined);
  return z.optional(z.pipe(fromNull, z.optional(schema)));
}

/** A copy of a JSON value in which objects, at any depth, have no property that is `null`. */
export function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutNulls);
  const present = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(present.map(([name, item]) => [name, withoutNulls(item)]));
}
