import type { System } from "@upkeep/shared/system";
import { addDumpCommand } from "./artifact/dump.ts";
import { addReadCommands } from "./artifact/read.ts";
import { type ArtifactContext, processContext } from "./artifact/run.ts";
import { addSignCommand } from "./artifact/sign.ts";
import { addWriteCommands } from "./artifact/write.ts";
import type { CommandBody } from "./commands.ts";

/** `artifact`: write, read, validate, sign and dump artifacts, with the flags of mender-artifact. */
export function artifactCommand(system: System, context: ArtifactContext = processContext(system)): CommandBody {
  return {
    builder: (argv) => {
      // --version is the format's here, not the program's.
      argv.version(false);
      // -t A -t B are two device types, -f A B is a file and something else, --no-default-… is a flag of its own.
      argv.parserConfiguration({
        "duplicate-arguments-array": true,
        "greedy-arrays": false,
        "boolean-negation": false,
      });
      argv.command(
        "write",
        "Write an artifact",
        (builder) =>
          addWriteCommands(builder, context).demandCommand(1, "Say what to write: one of the commands above."),
        () => undefined,
      );
      addReadCommands(argv, context);
      addSignCommand(argv, context);
      addDumpCommand(argv, context);
      return argv.demandCommand(1, "Say what to do: one of the commands above.");
    },
    handler: () => undefined,
  };
}
