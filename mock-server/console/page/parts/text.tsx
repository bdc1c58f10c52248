import { signal } from "@preact/signals";

/** Times are shown in UTC instead of the browser's zone. */
export const isUtc = signal(localStorage.getItem("upkeep-utc") === "true");

export function setUtc(value: boolean): void {
  isUtc.value = value;
  localStorage.setItem("upkeep-utc", String(value));
}

const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
] as const;

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** `3 hours ago`. @param ms Milliseconds since the Unix epoch. */
export function ago(ms: number, nowMs = Date.now()): string {
  const seconds = (ms - nowMs) / 1000;
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return seconds > 5 ? "in a moment" : "just now";
}

/** The time in words, with its zone. */
export function exact(ms: number): string {
  return new Intl.DateTimeFormat("en-GB", {
    dateStyle: "medium",
    timeStyle: "medium",
    ...(isUtc.value ? { timeZone: "UTC" } : {}),
  })
    .format(ms)
    .concat(isUtc.value ? " UTC" : ` ${zoneName(ms)}`);
}

/** Day and minute, for an axis. */
export function shortTime(ms: number): string {
  const format = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" } as const;
  return new Intl.DateTimeFormat("en-GB", { ...format, ...(isUtc.value ? { timeZone: "UTC" } : {}) }).format(ms);
}

/** The zone in which times are shown, with its offset at that time. */
export function zoneText(ms: number): string {
  if (isUtc.value) return "UTC";
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return timeZone === "UTC" ? "UTC" : `${timeZone} (${offsetText(ms)})`;
}

/** `UTC+02:00` */
function offsetText(ms: number): string {
  const minutes = -new Date(ms).getTimezoneOffset();
  const two = (value: number): string => String(value).padStart(2, "0");
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "-" : "+"}${two(Math.trunc(size / 60))}:${two(size % 60)}`;
}

const MINUTE_MS = 60_000;

/** A time as the inputs of browsers have it: without a zone, here in the zone in which times are shown. */
export function inputTime(ms: number): string {
  const shift = isUtc.value ? 0 : new Date(ms).getTimezoneOffset() * MINUTE_MS;
  return new Date(ms - shift).toISOString().slice(0, 16);
}

/** @returns `undefined` for a text that is no whole time yet. */
export function timeOfInput(text: string): number | undefined {
  const ms = Date.parse(isUtc.value ? `${text}Z` : text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Short name of the browser's time zone at that time. */
export function zoneName(ms = Date.now()): string {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(ms);
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
}

/** A time of the API; nothing for an absent one, or for the zero time of the reference. */
export function Time({ at, isExact = false }: { readonly at: string | undefined; readonly isExact?: boolean }) {
  const ms = at === undefined ? Number.NaN : Date.parse(at);
  if (Number.isNaN(ms) || ms <= 0) return <span class="none">–</span>;
  return (
    <time dateTime={at} title={exact(ms)}>
      {isExact ? exact(ms) : ago(ms)}
    </time>
  );
}

/** `2 min 5 s` */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ] as const;
  const shown = parts.filter(([count]) => count > 0).slice(0, 2);
  return shown.length === 0 ? "0 s" : shown.map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** `12.3 MB` */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit += 1) value /= 1000;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** A value of an attribute: text, number, or a list of these. */
export function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueText).join(", ");
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}
