import type { Fault } from "./entry.ts";
import { instantMs } from "./language/instants.ts";
import type { PlannedFault } from "./plan.ts";

/** A fault that begins with an event: until then it is off. */
interface BeginningFault extends Fault {
  readonly when?: object | undefined;
}

/** The faults of a file, with their times in milliseconds after the start. */
export function plannedFaults(faults: readonly BeginningFault[], startMs: number): PlannedFault[] {
  return faults.map(({ from, until, when, ...fault }) => ({
    ...fault,
    ...(when === undefined ? {} : { on: false }),
    ...(from === undefined ? {} : { fromMs: instantMs(from, startMs) }),
    ...(until === undefined ? {} : { untilMs: instantMs(until, startMs) }),
  }));
}
