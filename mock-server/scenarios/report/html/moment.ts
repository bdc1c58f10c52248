const DAY_MS = 86_400_000;

/** `12:00:05` by the scenario's wall clock; `day 2 12:00:05` on later days; milliseconds only if not 0. */
export function clockText(atMs: number, startMs: number): string {
  const day = Math.floor((startMs + atMs) / DAY_MS) - Math.floor(startMs / DAY_MS) + 1;
  const time = new Date(startMs + atMs).toISOString().slice(11, 23).replace(".000", "");
  return day === 1 ? time : `day ${day} ${time}`;
}
