import type { System } from "@upkeep/shared/system";
import { linuxCron } from "./cron.ts";
import { linuxFiles } from "./files.ts";
import { linuxNetwork } from "./network.ts";
import { linuxPower } from "./power.ts";
import { linuxProcesses } from "./processes.ts";
import { linuxRandom } from "./random.ts";
import { linuxClock, linuxTimers } from "./time.ts";

/** The door as it is on a real Linux machine. */
export function linuxSystem(): System {
  return {
    clock: linuxClock,
    timers: linuxTimers,
    cron: linuxCron,
    random: linuxRandom,
    files: linuxFiles,
    network: linuxNetwork,
    processes: linuxProcesses,
    power: linuxPower,
  };
}
