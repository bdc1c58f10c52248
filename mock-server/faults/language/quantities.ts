import * as z from "zod";

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

const DURATION = /^(\d{1,9}(\.\d{1,3})?(ms|s|m|h|d|w))( ?\d{1,9}(\.\d{1,3})?(ms|s|m|h|d|w))*$/;
const SIZE = /^\d{1,12}(\.\d{1,3})? ?(B|KB|MB|GB|KiB|MiB|GiB)$/;
const RATE = /^\d{1,12}(\.\d{1,3})? ?(B|KB|MB|GB|KiB|MiB|GiB)\/s$/;

/** @param text Something that {@link DURATION} matches. */
function durationMs(text: string): number {
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g))
    ms += Number(count) * (UNIT_MS[unit ?? ""] ?? 0);
  return Math.round(ms);
}

/** @param text Something that {@link SIZE} matches. */
function sizeBytes(text: string): number {
  const [, count, unit] = /^([\d.]+) ?([A-Za-z]+)/.exec(text) ?? [];
  return Math.round(Number(count) * (UNIT_BYTES[unit ?? ""] ?? 0));
}

/** Milliseconds, written as `90s`, `1h30m` or `2d`. */
export const Duration = z
  .string({ error: "a duration such as 500ms, 90s, 15m, 1h30m, 2d or 1w" })
  .regex(DURATION, { error: "a duration such as 500ms, 90s, 15m, 1h30m, 2d or 1w" })
  .transform(durationMs)
  .meta({ id: "Duration", description: "A duration: 500ms, 90s, 15m, 1h30m, 2d, 1w" });

const SIZE_HINT = "a size such as 512 B, 64 KiB, 3 MB or 4 MiB";

/** Bytes, written as `3 MB` or `64 KiB`. */
export const Size = z
  .string({ error: SIZE_HINT })
  .regex(SIZE, { error: SIZE_HINT })
  .transform(sizeBytes)
  .meta({ id: "Size", description: "A size: 512 B, 64 KiB, 3 MB, 4 MiB" });

const RATE_HINT = "a rate such as 20 KB/s or 1 MiB/s";

/** Bytes per second, written as `20 KB/s`. */
export const Rate = z
  .string({ error: RATE_HINT })
  .regex(RATE, { error: RATE_HINT })
  .transform((text) => Math.max(1, sizeBytes(text)))
  .meta({ id: "Rate", description: "A rate: 20 KB/s, 1 MiB/s" });

/** YAML 1.2 reads `yes` and `no` as words. */
export const YesNo = z
  .union([z.boolean(), z.enum(["yes", "no"])], { error: "yes or no" })
  .transform((value) => value === true || value === "yes")
  .meta({ id: "YesNo", description: "yes or no" });

/** The value of a fault without parameters, such as `duplicated: yes`. */
export const Yes = z
  .union([z.literal(true), z.literal("yes")], { error: "yes" })
  .transform(() => true as const)
  .meta({ id: "Yes", description: "yes" });

const NAME_HINT = "a name of letters, digits, - and _";

export const Name = z
  .string({ error: NAME_HINT })
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,99}$/, { error: NAME_HINT })
  .meta({ id: "Name" });

/** A whole number from 1. */
export const Count = z
  .int({ error: "a whole number from 1" })
  .min(1, { error: "a whole number from 1" })
  .max(1_000_000, { error: "a whole number from 1 to 1000000" })
  .meta({ id: "Count" });

/** A whole number from 0. */
export const CountFromZero = z
  .int({ error: "a whole number from 0" })
  .min(0, { error: "a whole number from 0" })
  .max(1_000_000_000, { error: "a whole number from 0 to 1000000000" })
  .meta({ id: "CountFromZero" });

export const Probability = z
  .number({ error: "a probability from 0 to 1" })
  .min(0, { error: "a probability from 0 to 1" })
  .max(1, { error: "a probability from 0 to 1" })
  .meta({ id: "Probability" });
