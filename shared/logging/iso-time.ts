const DAY_MS = 86_400_000;
/** The Gregorian calendar repeats after 400 years. */
const ERA_DAYS = 146_097;
/** From 1 March of the year 0 to 1 January 1970. */
const DAYS_BEFORE_1970 = 719_468;

const padded = (value: number, digits = 2): string => String(value).padStart(digits, "0");

/**
 * `Date.toISOString` for the years 0 to 9999, without a `Date`: the first `Date` of a process loads the time zone data
 * and keeps it. An idle agent that logs takes 53.8 MiB with `Date` and 52.5 MiB without (Node 20.20, `bench:device`).
 * @param ms Milliseconds since the Unix epoch.
 */
export function isoTime(ms: number): string {
  const whole = Math.floor(ms);
  const days = Math.floor(whole / DAY_MS) + DAYS_BEFORE_1970;
  const inDay = whole - Math.floor(whole / DAY_MS) * DAY_MS;
  const era = Math.floor(days / ERA_DAYS);
  const dayOfEra = days - era * ERA_DAYS;
  // Without the leap days of every 4, 100 and 400 years, each year has 365 days.
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  // Months count from March, so that a leap day is the last day of its year.
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const time = [3_600_000, 60_000, 1000].map((unit, index) =>
    padded(Math.floor(inDay / unit) % (index === 0 ? 24 : 60)),
  );
  return `${padded(year, 4)}-${padded(month)}-${padded(day)}T${time.join(":")}.${padded(inDay % 1000, 3)}Z`;
}

/** {@link isoTime} that keeps the text up to the second: 40 ns a log line in place of 600 (`Date`: 900). */
export function isoTimeFormatter(): (ms: number) => string {
  let second = Number.NaN;
  let before = "";
  return (ms) => {
    const now = Math.floor(ms / 1000);
    if (now !== second) {
      second = now;
      before = isoTime(now * 1000).slice(0, -"000Z".length);
    }
    const inSecond = Math.floor(ms) - now * 1000;
    return `${before}${inSecond < 10 ? "00" : inSecond < 100 ? "0" : ""}${inSecond}Z`;
  };
}
