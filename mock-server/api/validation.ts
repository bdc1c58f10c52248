import * as z from "zod";
import { invalid } from "../errors.ts";

const SHOWN_CHARACTERS_MAX = 80;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text;
}

/** `prefix.field: what it should be (got value)`, for each fault, in one line. */
function describe(issues: readonly z.core.$ZodIssue[], prefix: string): string {
  return issues
    .map((issue) => {
      const field = [prefix, ...issue.path.map(String)].filter((part) => part !== "").join(".");
      const got = issue.input === undefined || typeof issue.input === "object" ? "" : ` (got ${shown(issue.input)})`;
      return `${field === "" ? "" : `${field}: `}${issue.message}${got}`;
    })
    .join("; ");
}

/**
 * `value` as the schema has it.
 * @param prefix What to put before the names of fields.
 * @throws ServerError that names each field, its value and what it should be.
 */
export function validated<T>(schema: z.core.$ZodType<unknown, T> | z.core.$ZodType<T>, value: unknown, prefix = ""): T {
  const result = z.core.safeParse(schema, value, { reportInput: true });
  if (result.success) return result.data as T;
  throw invalid(describe(result.error.issues, prefix));
}

/** A query parameter of which only the first value counts. */
export function one<S extends z.core.$ZodType>(schema: S) {
  return z.preprocess((value) => (Array.isArray(value) ? value[0] : value), schema);
}

/** A query parameter that may be given several times; absent: none. */
export function many<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => (value === undefined ? [] : Array.isArray(value) ? value : [value]), z.array(schema));
}

/** An identifier in a path. */
export const Uuid = z.guid("ID is not a valid UUID").transform((id) => id.toLowerCase());
