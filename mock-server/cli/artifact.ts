import type { System } from "@upkeep/shared/system";
import manifest from "../package.json" with { type: "json" };
import { addDumpCommand } from "./artifact/dump.ts";
import { addFlags, one } from "./artifact/flags.ts";
import { addImageCommands } from "./artifact/images.ts";
import { addIndexCommand } from "./artifact/index-command.ts";
import { addModifyCommand } from "./artifact/modify.ts";
import { addReadCommands } from "./artifact/read.ts";
import { type ArtifactContext, processContext } from "./artifact/run.ts";
import { addSignCommand } from "./artifact/sign.ts";
import { addWriteCommands, COMPRESSION_NAMES } from "./artifact/write.ts";
import type { CommandBody } from "./commands.ts";
import { CommandError } from "./failure.ts";

/** Commands that `artifact --compression NAME COMMAND` means. */
const COMPRESSING = ["write", "modify"];

/** `artifact`: writes, reads, validates, signs, changes and dumps artifacts, with the flags of mender-artifact. */
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
      const withCompression = addFlags(argv, {
        compression: { ...one, choices: COMPRESSION_NAMES, describe: "Of header and payload; lzma is xz" },
      }).check(({ compression, _: words }) => {
        if (compression === undefined || COMPRESSING.includes(String(words[1]))) return true;
        throw new CommandError(`--compression is for the commands ${COMPRESSING.join(" and ")}`);
      });
      withCompression.command(
        "write",
        "Write an artifact",
        (builder) =>
          addWriteCommands(builder, context).demandCommand(1, "Say what to write: one of the commands above."),
        () => undefined,
      );
      addReadCommands(withCompression, context);
      addSignCommand(withCompression, context);
      addModifyCommand(withCompression, context);
      addImageCommands(withCompression, context);
      addDumpCommand(withCompression, context);
      addIndexCommand(withCompression, context);
      return withCompression.command(
        "$0",
        false,
        (builder) =>
          builder
            .option("version", { type: "boolean", alias: "v", describe: "Print the version of the program" })
            .check(({ version }) => version === true || "Say what to do: one of the commands above."),
        () => context.out.write(`upkeep-server version ${manifest.version}\n`),
      );
    },
    handler: () => undefined,
  };
}
