import type { System } from "@upkeep/shared/system";
import { refused } from "./faults.ts";
import { NodeFiles } from "./files.ts";
import { NodeNetwork } from "./network.ts";
import { NodeProcesses } from "./processes.ts";
import { NodeRandom } from "./random.ts";
import { NodeClock, NodeTimers } from "./time.ts";

/**
 * The system interface on this machine: clock, timers, randomness, files, signals, network. What a server never uses
 * (cron, other programs, FIFOs, reboot) is refused with ENOSYS.
 */
export function openSystem(): System {
  return {
    clock: new NodeClock(),
    timers: new NodeTimers(),
    random: new NodeRandom(),
    files: new NodeFiles(),
    processes: new NodeProcesses(),
    network: new NodeNetwork(),
    power: { reboot: () => Promise.reject(refused("does not reboot the machine it runs on")) },
    cron: {
      fault: () => {
        throw refused("keeps no cron schedules");
      },
      matches: () => {
        throw refused("keeps no cron schedules");
      },
      schedule: () => {
        throw refused("keeps no cron schedules");
      },
    },
  };
}
