import type { Rate } from "../file/index.ts";
import type { RunEvent } from "./events.ts";
import { REQUEST_OF } from "./request-names.ts";

/** The busiest window of a run. */
export interface Busiest {
  readonly count: number;
  /** When it begins, in milliseconds after the start. */
  readonly atMs: number;
}

/** The window of this length in which most is counted. @param events In order. */
export function busiest(events: readonly RunEvent[], { of, in: lengthMs }: Rate): Busiest {
  const counted = events.flatMap((event) => {
    const count = countOf(event, of);
    return count === 0 ? [] : [{ atMs: event.atMs, count }];
  });
  let most: Busiest = { count: 0, atMs: 0 };
  let first = 0;
  let sum = 0;
  for (const { atMs, count } of counted) {
    sum += count;
    for (let oldest = counted[first]; oldest !== undefined && oldest.atMs <= atMs - lengthMs; oldest = counted[++first])
      sum -= oldest.count;
    if (sum > most.count) most = { count: sum, atMs: counted[first]?.atMs ?? atMs };
  }
  return most;
}

function countOf(event: RunEvent, of: Rate["of"]): number {
  if (of === "bytes") return event.kind === "bytes" ? event.bytes : 0;
  if (event.kind !== "exchange") return 0;
  return of === "requests" || event.request === REQUEST_OF[of] ? 1 : 0;
}
