import type { System } from "@upkeep/shared/system";
import type { CommandModule } from "yargs";
import { setExitStatus, standardError, standardOutput } from "../system/environment.ts";
import { BEHAVIOUR_OPTIONS, REAL_OPTIONS, realSettingsOf } from "./fleet/settings.ts";
import { tlsOptionsOf } from "./management.ts";

const EPILOGUE = `Ranges are written LEAST..MOST, such as --poll 30s..5m or --speed 1MB..10MB: each device draws its own.
The devices speak with the agent's own protocol client and daemon; what they download they throw away. The same
seed brings back the same devices with the same keys, which are therefore no secret.
The figures are written to standard output at the end, with --json as one JSON object. The exit status is 1 if
more requests failed than --errors-max allows, or if a device was never let in.`;

/** `upkeep-server fleet` */
export function fleetCommand(system: System): CommandModule {
  return {
    command: "fleet",
    describe: "Run virtual devices against a server",
    builder: (yargs) =>
      yargs
        .options({
          ...BEHAVIOUR_OPTIONS,
          ...REAL_OPTIONS,
          json: { type: "boolean", describe: "Write the summary as JSON", default: false },
        })
        .epilogue(EPILOGUE),
    handler: async (args) => {
      const json = args.json === true;
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
      for (const failure of failures) standardError.write(`upkeep-server: ${failure}\n`);
      setExitStatus(failures.length === 0 ? 0 : 1);
    },
  };
}
