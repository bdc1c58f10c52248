import type { System } from "@upkeep/shared/system";
import type { CommandBody } from "./commands.ts";
import { addFromRecordingCommand } from "./scenario/from-recording.ts";
import { addReplayCommand } from "./scenario/replay.ts";
import { addRunCommand } from "./scenario/run.ts";

/** `scenario`: run scenario files. */
export function scenarioCommand(system: System): CommandBody {
  return {
    builder: (argv) => {
      // Files are arguments that come more than once.
      addRunCommand(argv.parserConfiguration({ "duplicate-arguments-array": true }), system);
      addReplayCommand(argv, system);
      addFromRecordingCommand(argv, system);
      return argv.demandCommand(1, "Say what to do: one of the commands above.");
    },
    handler: () => undefined,
  };
}
