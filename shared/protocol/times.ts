const RFC_3339 = /^(\d{4}-(\d\d)-(\d\d))[Tt ]((\d\d):(\d\d):(\d\d))(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const LEAP_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
const MINUTE_MS = 60_000;

/** Message for a text that is no time. */
export const TIME_HINT = "must be a time as RFC 3339 has it, such as 2026-03-01T11:00:00Z";

/**
 * Parses an instant in RFC 3339 format: date, time to the second or finer, and zone. This is the only parser of times
 * from outside: `Date.parse` accepts almost anything, even 30 February.
 * @returns Milliseconds since the Unix epoch; `undefined` for another format, or a day or an hour that does not exist.
 */
export function timeMs(text: string): number | undefined {
  const parts = RFC_3339.exec(text);
  if (parts === null) return undefined;
  const [, date = "", month, day, time = "", hour, minute, second, fraction = "", sign, hours = "0", minutes = "0"] =
    parts;
  const exists =
    Number(day) >= 1 &&
    Number(day) <= (LEAP_DAYS[Number(month) - 1] ?? 0) &&
    isBelow(24, hour, hours) &&
    isBelow(60, minute, second, minutes);
  if (!exists) return undefined;
  const local = new Date(`${date}T${time}.${fraction.padEnd(3, "0").slice(0, 3)}Z`);
  // `Date` turns 29 February of a common year into 1 March.
  if (local.getUTCDate() !== Number(day)) return undefined;
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * MINUTE_MS;
  return local.getTime() - (sign === "-" ? -offsetMs : offsetMs);
}

function isBelow(bound: number, ...numbers: readonly (string | undefined)[]): boolean {
  return numbers.every((number) => Number(number) < bound);
}
