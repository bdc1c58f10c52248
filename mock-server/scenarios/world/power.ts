import type { PowerEffect } from "../../faults/effects/machine.ts";
import type { LeftBehind } from "../../faults/index.ts";
import type { SeededRandom } from "../../system/seeded-random.ts";
import {
  type BootEnd,
  EVERY_WRITE_TORN,
  EVERY_WRITE_ZEROS,
  EVERYTHING_KEPT,
  EVERYTHING_LOST,
  type Survival,
  survivalByChance,
  WRITES_LOST,
} from "../simulation/index.ts";
import type { UpdateMoment } from "./moments.ts";

/** The survival of unsynced writes, by the scenario's word for it. */
export function survivalOf(leaves: LeftBehind | "nothing", chance: Pick<SeededRandom, "fraction">): Survival {
  switch (leaves) {
    case "everything":
      return EVERYTHING_KEPT;
    case "torn":
      return EVERY_WRITE_TORN;
    case "zeros":
      return EVERY_WRITE_ZEROS;
    case "names":
      return WRITES_LOST;
    case "chance":
      return survivalByChance(() => chance.fraction());
    default:
      return EVERYTHING_LOST;
  }
}

/** True if the effect interrupts the device at this moment. */
export function isInterruptionAt(effect: PowerEffect, moment: UpdateMoment): boolean {
  if (effect.kind !== "interruption") return false;
  return effect.moment[moment.when] === ("step" in moment ? moment.step : moment.state);
}

/** Why a device is down, in words. */
export function whyOf(end: BootEnd): string {
  switch (end.kind) {
    case "threw":
      return `the agent ended: ${end.error instanceof Error ? end.error.message : String(end.error)}`;
    case "killed":
      return `the agent was ended by ${end.signal}`;
    case "returned":
      return "the agent ended";
    case "rebooted":
      return "reboot";
    case "power-cut":
      return "power cut";
    case "brick":
      return "nothing boots any more";
  }
}
