import type { Network, System } from "@upkeep/shared/system";
import { linuxCron } from "./cron.ts";
import { linuxFiles } from "./files.ts";
import { linuxPower } from "./power.ts";
import { linuxProcesses } from "./processes.ts";
import { linuxRandom } from "./random.ts";
import { linuxClock, linuxTimers } from "./time.ts";

/** HTTP and TLS are loaded with the first request: many commands need no network. */
const linuxNetwork: Network = {
  request: async (request) => (await import("./network.ts")).linuxNetwork.request(request),
};

/** The door of a real Linux machine. */
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
