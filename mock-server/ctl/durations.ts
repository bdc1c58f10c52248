import { usage } from "./failure.ts";

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION_MS_MAX = 3650 * 86_400_000;

/** A duration such as `90s`, `15m`, `2h` or `7d`, in milliseconds; `undefined` if the text is none. */
export function durationMs(text: string): number | undefined {
  const [, count, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (UNIT_MS[unit] ?? Number.NaN);
  return ms >= 0 && ms <= DURATION_MS_MAX ? ms : undefined;
}

/** @throws CtlError (usage) that names the option */
export function parseDuration(option: string, text: string): number {
  const ms = durationMs(text);
  if (ms !== undefined) return ms;
  throw usage(`--${option} ${JSON.stringify(text)}: must be a time such as 90s, 15m, 2h or 7d, at most 3650d`);
}
