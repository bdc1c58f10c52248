const DAY_MS = 86_400_000;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS };
const DURATION_MS_MAX = 3650 * DAY_MS;

/** What an option of the command line takes, for messages. */
export const DURATION_EXAMPLES = "a time such as 90s, 15m, 24h or 7d, at most 3650d";

/** A duration such as `90s`, `15m`, `24h` or `7d`, in milliseconds; `undefined` if the text is none, or above ten years. */
export function durationMs(text: string): number | undefined {
  const [, count, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (UNIT_MS[unit] ?? Number.NaN);
  return ms <= DURATION_MS_MAX ? ms : undefined;
}
