import * as z from "zod";
import { one } from "../validation.ts";

/** A time as the APIs write it: RFC 3339, UTC. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}

/** A time in a query, as the reference takes it: seconds since the Unix epoch; read as milliseconds. */
export const seconds = one(
  z
    .string()
    .regex(/^\d{1,12}$/, "must be seconds since 1970-01-01")
    .transform((text) => Number(text) * 1000)
    .optional(),
);
