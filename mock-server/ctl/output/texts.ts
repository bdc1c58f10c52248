const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** A size for people: `12.3 MB`. */
export function sizeText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`;
}

const STEPS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1000, "s"],
] as const;

/** A duration in its largest unit: `3 h`. */
export function durationText(ms: number): string {
  const [unitMs, unit] = STEPS.find(([stepMs]) => ms >= stepMs) ?? [1000, "s"];
  return `${Math.floor(ms / unitMs)} ${unit}`;
}

/** How long ago an instant was; empty without one. */
export function agoText(time: string | undefined, nowMs: number): string {
  const ms = Date.parse(time ?? "");
  if (Number.isNaN(ms)) return "";
  return ms > nowMs ? `in ${durationText(ms - nowMs)}` : `${durationText(nowMs - ms)} ago`;
}

/** An instant in UTC: `2026-03-01 12:00:05 UTC`; `undefined` without one. */
export function timeText(time: string | undefined): string | undefined {
  const ms = Date.parse(time ?? "");
  if (Number.isNaN(ms)) return time;
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Characters of an id that are shown. */
export const SHORT_ID = 8;

/** The beginnings of these ids, as long as they must be to differ. */
export function shortIds(ids: readonly string[]): (id: string) => string {
  const all = [...new Set(ids)];
  let length = SHORT_ID;
  while (length < 36 && new Set(all.map((id) => id.slice(0, length))).size < all.length) length += 1;
  return (id) => id.slice(0, length);
}

/** `1 device`, `2 devices`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
