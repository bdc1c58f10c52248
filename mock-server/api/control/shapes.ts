import * as z from "zod";
import { REQUEST_KINDS, type SeenRequest } from "../../control/requests.ts";
import { timestamp } from "../management/times.ts";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Ten years, in milliseconds. */
const DURATION_MS_MAX = 3650 * 86_400_000;

/** A time such as `90s` or `2h`, read as milliseconds. */
export const Duration = z
  .string()
  .regex(/^\d{1,12}(ms|s|m|h|d)$/, "must be a time such as 500ms, 90s, 15m, 2h or 7d")
  .transform((text) => Number.parseInt(text, 10) * (UNIT_MS[text.replace(/^\d+/, "")] ?? Number.NaN))
  .refine((ms) => ms <= DURATION_MS_MAX, "must be at most 3650d");

/** An instant as RFC 3339, read as milliseconds since the Unix epoch. */
export const Instant = z.iso
  .datetime({ offset: true, error: "must be an instant such as 2026-03-01T11:00:00Z" })
  .transform((text) => Date.parse(text));

export const SnapshotName = z.object({ name: z.string() });

export const ClockShape = z.object({ now: z.string(), frozen: z.boolean() });

export const SwitchedFaultShape = z.object({
  id: z.int(),
  fault: z.record(z.string(), z.unknown()),
  happened: z.int(),
});

export const SeenRequestShape = z.object({
  number: z.int(),
  at: z.string(),
  kind: z.enum(REQUEST_KINDS),
  method: z.string(),
  path: z.string(),
  device: z.string().optional(),
  reported: z.string().optional(),
  status: z.int().optional(),
});

export function seenRequest({ atMs, ...rest }: SeenRequest): z.infer<typeof SeenRequestShape> {
  return { ...rest, at: timestamp(atMs) };
}
