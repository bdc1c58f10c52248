import { timeMs } from "@upkeep/shared/protocol";
import * as z from "zod";
import { Duration } from "./quantities.ts";

const DAY_MS = 86_400_000;

/** A moment of the simulation, as the file writes it. {@link instantMs} makes a number of it. */
export type Instant =
  /** A time after the start. */
  | { readonly kind: "after"; readonly ms: number }
  /** The first such time of day (UTC) from the start on, or the one of that day; the first day is 1. */
  | { readonly kind: "time-of-day"; readonly ofDayMs: number; readonly day: number | undefined }
  | { readonly kind: "date"; readonly atMs: number };

const TIME_OF_DAY = /^(?:day (?<day>[1-9]\d{0,3}) )?(?<hour>[01]\d|2[0-3]):(?<minute>[0-5]\d)(?::(?<second>[0-5]\d))?$/;
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/;
const INSTANT_HINT = 'an instant: 90m (after the start), "12:00" (UTC), "day 2 12:00" or 2026-03-01T12:00:00Z';

function parseInstant(text: string): Instant | undefined {
  const ofDay = TIME_OF_DAY.exec(text)?.groups;
  if (ofDay !== undefined) {
    const seconds = Number(ofDay.hour) * 3600 + Number(ofDay.minute) * 60 + Number(ofDay.second ?? 0);
    return {
      kind: "time-of-day",
      ofDayMs: seconds * 1000,
      day: ofDay.day === undefined ? undefined : Number(ofDay.day),
    };
  }
  if (DATE.test(text)) {
    const atMs = timeMs(text);
    return atMs === undefined ? undefined : { kind: "date", atMs };
  }
  const after = Duration.safeParse(text);
  return after.success ? { kind: "after", ms: after.data } : undefined;
}

export const Instant = z
  .string({ error: INSTANT_HINT })
  .transform((text, context): Instant => {
    const instant = parseInstant(text);
    if (instant !== undefined) return instant;
    context.addIssue({ code: "custom", message: INSTANT_HINT, input: text, params: { expected: true } });
    return z.NEVER;
  })
  .meta({
    id: "Instant",
    description: "An instant: 90m (after the start), 12:00 (UTC), day 2 12:00, 2026-03-01T12:00:00Z",
  });

const DATE_HINT = "an instant such as 2026-03-01T11:00:00Z";

/** Milliseconds since the Unix epoch. */
export const WallDate = z
  .string({ error: DATE_HINT })
  .regex(DATE, { error: DATE_HINT })
  .transform((text, context) => {
    const atMs = timeMs(text);
    if (atMs !== undefined) return atMs;
    context.addIssue({ code: "custom", message: DATE_HINT, input: text, params: { expected: true } });
    return z.NEVER;
  })
  .meta({ id: "WallDate", description: "An instant: 2026-03-01T11:00:00Z" });

/**
 * The instant in milliseconds after the start; less than 0 if it is earlier.
 * @param startMs The start, in milliseconds since the Unix epoch.
 */
export function instantMs(instant: Instant, startMs: number): number {
  if (instant.kind === "after") return instant.ms;
  if (instant.kind === "date") return instant.atMs - startMs;
  const firstDayMs = Math.floor(startMs / DAY_MS) * DAY_MS - startMs;
  if (instant.day !== undefined) return firstDayMs + (instant.day - 1) * DAY_MS + instant.ofDayMs;
  const today = firstDayMs + instant.ofDayMs;
  return today >= 0 ? today : today + DAY_MS;
}
