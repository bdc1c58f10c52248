import type { System } from "@upkeep/shared/system";
import { printable } from "@upkeep/shared/text";
import { setExitStatus, standardError, standardOutput } from "../system/environment.ts";
import { boundHeapGrowth } from "../system/usage.ts";
import type { CommandBody } from "./commands.ts";
import {
  BEHAVIOUR_OPTIONS,
  REAL_OPTIONS,
  realSettingsOf,
  SIMULATED_OPTIONS,
  simulatedSettingsOf,
} from "./fleet/fleet-settings.ts";
import { tlsOptionsOf } from "./management.ts";

const EPILOGUE = `Ranges are written LEAST..MOST, such as --poll 30s..5m or --speed 1MB..10MB: each device draws its own.
The devices speak with the agent's own protocol client and daemon; what they download they throw away. The same
seed brings back the same devices with the same keys, which are therefore no secret.
The figures are written to standard output at the end, with --json as one JSON object. The exit status is 1 if
more requests failed than --errors-max allows, or if a device was never let in.
--simulate needs no server: light devices and the true server in one process and in virtual time. The same seed
gives the same run, which the digest in the summary proves.`;

/** Devices live as long as the program, so the heap must hold all of them; a simulated fleet may be ten times as large. */
const HEAP_GROWTH_PERCENT = { real: 100, simulated: 30 } as const;

/** `upkeep-server fleet` */
export function fleetCommand(system: System): CommandBody {
  return {
    builder: (yargs) =>
      yargs
        .options({
          ...BEHAVIOUR_OPTIONS,
          ...REAL_OPTIONS,
          ...SIMULATED_OPTIONS,
          json: { type: "boolean", describe: "Write the summary as JSON", default: false },
        })
        .epilogue(EPILOGUE),
    handler: async (args) => {
      const json = args.json === true;
      boundHeapGrowth(args.simulate === true ? HEAP_GROWTH_PERCENT.simulated : HEAP_GROWTH_PERCENT.real);
      if (args.simulate === true) return await simulate(system, args, json);
      const settings = realSettingsOf(args, await tlsOptionsOf(system, args));
      // The agent's code is loaded by these commands alone.
      const { runRealFleet } = await import("./fleet/real.ts");
      const { describeFleet } = await import("../scenarios/fleet/description.ts");
      const result = await runRealFleet(system, settings, args, !json);
      const { snapshot, seconds, processorSeconds, memoryMegabytes, failures } = result;
      if (json) {
        const { snapshot: figures, ...rest } = result;
        standardOutput.write(`${JSON.stringify({ ...rest, ...figures })}\n`);
      } else {
        const own = `${processorSeconds} s of processor time, ${memoryMegabytes} MB of memory`;
        standardOutput.write(`${[...describeFleet(snapshot, seconds), `this program used ${own}`].join("\n")}\n`);
      }
      for (const failure of failures) standardError.write(`upkeep-server: ${printable(failure)}\n`);
      setExitStatus(failures.length === 0 ? 0 : 1);
    },
  };
}

async function simulate(system: System, args: Readonly<Record<string, unknown>>, json: boolean): Promise<void> {
  const settings = simulatedSettingsOf(args);
  const { runSimulatedFleet } = await import("./fleet/simulated.ts");
  const { result, ...cost } = await runSimulatedFleet(system, settings, !json);
  const { samples, snapshot, digest } = result;
  const { exchangesInAll, updates } = snapshot;
  const statuses = Object.fromEntries(
    Object.entries(samples.at(-1)?.statuses ?? {}).filter(([, count]) => Number(count) > 0),
  );
  const { devices } = settings.plan.fleet;
  if (json) {
    const figures = { devices, days: settings.plan.days, exchanges: exchangesInAll, updates, statuses, digest };
    standardOutput.write(`${JSON.stringify({ ...figures, ...cost })}\n`);
    return;
  }
  const { seconds, processorSeconds, memoryMegabytes, deviceDaysPerSecond } = cost;
  const counts = Object.entries(statuses).map(([status, count]) => `${count} ${status}`);
  const lines = [
    `${devices} devices for ${settings.plan.days} days: ${exchangesInAll} exchanges, ${updates.begun} updates`,
    `at the end: ${counts.join(", ") || "no device had a deployment"}`,
    `digest ${digest}`,
    `${deviceDaysPerSecond} device-days a second: ${seconds} s, ${processorSeconds} s of processor time, ${memoryMegabytes} MB of memory`,
  ];
  standardOutput.write(`${lines.join("\n")}\n`);
}
