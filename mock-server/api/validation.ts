import { TIME_HINT, timeMs } from "@upkeep/shared/protocol";
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
      if (issue.code === "unrecognized_keys")
        return issue.keys
          .map((key) => `${[field, key].filter((part) => part !== "").join(".")}: ${issue.message}`)
          .join("; ");
      const got = issue.input === undefined || typeof issue.input === "object" ? "" : ` (got ${shown(issue.input)})`;
      return `${field === "" ? "" : `${field}: `}${issue.message}${got}`;
    })
    .join("; ");
}

/**
 * `value` as the schema has it.
 * @param prefix What to put before the names of fields.
 * @throws DomainError that names each field, its value and what it should be.
 */
export function validated<T>(schema: z.core.$ZodType<unknown, T> | z.core.$ZodType<T>, value: unknown, prefix = ""): T {
  const result = z.core.safeParse(schema, value, { reportInput: true });
  if (result.success) return result.data as T;
  throw invalid(describe(result.error.issues, prefix));
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "there are none" : `there are ${names.join(", ")}`;
}

/**
 * An object in a user's request. A field that it does not have is refused by its name: it was meant to change
 * something, and would not.
 */
export function fields<S extends z.core.$ZodShape>(shape: S) {
  const message = `there is no such field; ${listed(Object.keys(shape))}`;
  return z.strictObject(shape, { error: ({ code }) => (code === "unrecognized_keys" ? message : undefined) });
}

/** A field or parameter that clients of the reference send, and that changes nothing. @param reason Why it does not. */
export function ignored(reason: string) {
  return z
    .unknown()
    .optional()
    .meta({ description: `Not looked at: ${reason}` });
}

/** A field that may be there as long as it asks for nothing. @param reason Why it cannot ask for more. */
export function onlyFalse(reason: string) {
  return z
    .literal(false, { error: `must be false: ${reason}` })
    .nullish()
    .meta({ description: `Only false: ${reason}` });
}

/** Names of the query parameters that a schema has; `undefined`: it takes any. */
export function parameterNames(schema: z.core.$ZodType | undefined): readonly string[] | undefined {
  if (schema === undefined) return [];
  if (!(schema instanceof z.ZodObject)) throw new Error("the schema of a query must be an object");
  return schema.def.catchall === undefined ? Object.keys(schema.shape) : undefined;
}

/** @throws DomainError (invalid) if a query has parameters that are not among the known: one of them may have been meant to narrow a list. */
export function checkParameterNames(query: unknown, known: readonly string[]): void {
  if (typeof query !== "object" || query === null) return;
  const unknown = Object.keys(query).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw invalid(
    unknown
      .map((name) => `${name.slice(0, SHOWN_CHARACTERS_MAX)}: there is no such query parameter; ${listed(known)}`)
      .join("; "),
  );
}

/** A query parameter of which only the first value counts. */
export function one<S extends z.core.$ZodType>(schema: S) {
  return z.preprocess((value) => (Array.isArray(value) ? value[0] : value), schema);
}

/** A query parameter that may be given several times; absent: none. */
export function many<S extends z.ZodType>(schema: S) {
  const list = z.array(schema).default([]);
  return z.preprocess((value) => (value === undefined || Array.isArray(value) ? value : [value]), list);
}

/** A time in a request, read as milliseconds since the Unix epoch. */
export const Time = z
  .string({ error: TIME_HINT })
  .meta({ format: "date-time" })
  .transform((text, context) => {
    const ms = timeMs(text);
    if (ms !== undefined) return ms;
    context.addIssue({ code: "custom", message: TIME_HINT, input: text });
    return z.NEVER;
  });

/** An identifier in a path. */
export const Uuid = z.guid("ID is not a valid UUID").transform((id) => id.toLowerCase());
