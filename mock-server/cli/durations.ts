import { CommandError } from "./failure.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The longest that is taken, in milliseconds: ten years. */
const DURATION_MS_MAX = 3650 * 86_400_000;

/**
 * A duration such as `90s`, `15m`, `24h` or `7d`, in milliseconds.
 * @throws CommandError that names the option and what would be right.
 */
export function parseDuration(option: string, value: string): number {
  const match = /^(?<count>\d{1,9})(?<unit>[smhd])$/.exec(value);
  const ms = Number(match?.groups?.count) * (UNIT_MS[match?.groups?.unit ?? ""] ?? Number.NaN);
  if (!(ms > 0 && ms <= DURATION_MS_MAX)) {
    throw new CommandError(
      `--${option} ${JSON.stringify(value)}: must be a time such as 90s, 15m, 24h or 7d, at most 3650d`,
    );
  }
  return ms;
}
