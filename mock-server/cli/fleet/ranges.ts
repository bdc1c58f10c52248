import { parseDuration } from "../durations.ts";
import { CommandError } from "../failure.ts";

interface Range {
  readonly least: number;
  readonly most: number;
}

function range(option: string, value: string, one: (text: string) => number): Range {
  const [first = "", second, ...more] = value.split("..");
  const least = one(first);
  const most = second === undefined ? least : one(second);
  if (more.length === 0 && least <= most) return { least, most };
  throw new CommandError(
    `--${option} ${JSON.stringify(value)}: must be one value or LEAST..MOST, the smaller one first`,
  );
}

/** `30s` or `30s..5m`, in milliseconds. @throws CommandError that names the option. */
export function parseDurations(option: string, value: string): Range {
  return range(option, value, (text) => parseDuration(option, text));
}

const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

function bytes(option: string, text: string): number {
  const [, count, unit = "B"] = /^(\d{1,9}(?:\.\d{1,3})?)([kMG]B|[KMG]iB|B)?$/.exec(text) ?? [];
  if (count !== undefined) return Number(count) * (UNITS[unit] ?? 1);
  throw new CommandError(`--${option} ${JSON.stringify(text)}: must be a size such as 500kB, 1MB or 2MiB`);
}

/** `1MB` or `1MB..10MB`, in bytes. @throws CommandError that names the option. */
export function parseSizes(option: string, value: string): Range {
  return range(option, value, (text) => bytes(option, text));
}

/** `2%` or `0.5%`, as a share of 1. @throws CommandError that names the option. */
export function parseShare(option: string, value: string): number {
  const percent = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(value)?.[1];
  if (percent !== undefined && Number(percent) <= 100) return Number(percent) / 100;
  throw new CommandError(`--${option} ${JSON.stringify(value)}: must be a percentage such as 2% or 0.5%`);
}

/** `board=3,gateway=1`, or `board` alone. @throws CommandError that names the option. */
export function parseWeights(option: string, value: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const part of value.split(",")) {
    const [, name, weight = "1"] = /^([A-Za-z0-9._-]+)(?:=(\d{1,9}))?$/.exec(part) ?? [];
    if (name === undefined || weights.has(name) || Number(weight) === 0) {
      throw new CommandError(
        `--${option} ${JSON.stringify(value)}: must be names with their shares, each once, such as board=3,gateway=1`,
      );
    }
    weights.set(name, Number(weight));
  }
  return weights;
}

/** A whole number. @throws CommandError that names the option and the bounds. */
export function parseCount(option: string, value: unknown, least: number, most: number): number {
  const count = typeof value === "number" ? value : Number.NaN;
  if (Number.isInteger(count) && count >= least && count <= most) return count;
  throw new CommandError(`--${option} ${String(value)}: must be a whole number from ${least} to ${most}`);
}
