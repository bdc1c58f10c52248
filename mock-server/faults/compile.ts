import type { Fault } from "./entry.ts";
import { instantMs } from "./language/instants.ts";
import type { PlannedFault } from "./plan.ts";

/** The faults of a file, with their times in milliseconds after the start. */
export function plannedFaults(faults: readonly Fault[], startMs: number): PlannedFault[] {
  return faults.map(({ from, until, ...fault }) => ({
    ...fault,
    ...(from === undefined ? {} : { fromMs: instantMs(from, startMs) }),
    ...(until === undefined ? {} : { untilMs: instantMs(until, startMs) }),
  }));
}
