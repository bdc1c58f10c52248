import { printableLines } from "@upkeep/shared/text";
import yargs from "yargs";
import manifest from "../package.json" with { type: "json" };
import { explained } from "../storage/index.ts";
import { setExitStatus, standardError } from "../system/environment.ts";
import { openSystem } from "../system/index.ts";
import { artifactCommand } from "./artifact.ts";
import { backupCommand } from "./backup.ts";
import { controlCommand } from "./control.ts";
import { CommandError } from "./failure.ts";
import { fleetCommand } from "./fleet.ts";
import { moveCommand } from "./move.ts";
import { restoreCommand } from "./restore.ts";
import { scenarioCommand } from "./scenario.ts";
import { serveCommand } from "./serve.ts";
import { userCommand } from "./user.ts";

const system = openSystem();

async function main(args: readonly string[]): Promise<void> {
  const parser = yargs([...args]);
  // With a command, --version would do nothing and exit with 0, and `artifact write` has a flag of that name.
  if (args.every((word) => word.startsWith("-"))) parser.version(manifest.version);
  else parser.version(false);
  await parser
    .scriptName("upkeep-server")
    .usage("$0 COMMAND\n\nThe Upkeep companion server: decides which deployment a device gets, and serves it.")
    .command(serveCommand(system))
    .command(controlCommand(system))
    .command(backupCommand(system))
    .command(restoreCommand(system))
    .command(moveCommand(system))
    .command(userCommand(system))
    .command(artifactCommand(system))
    .command(scenarioCommand(system))
    .command(fleetCommand(system))
    .demandCommand(1, "Say what to do: one of the commands above.")
    .strict()
    .parserConfiguration({ "duplicate-arguments-array": false })
    .alias("help", "h")
    .locale("en")
    .exitProcess(false)
    .fail((message, error, parser) => {
      if (error) throw error;
      parser.showHelp((help) => standardError.write(`${help}\n\n`));
      throw new CommandError(message);
    })
    .parseAsync();
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const told = error instanceof CommandError ? error.message : (explained(error) ?? trace);
  standardError.write(`upkeep-server: ${printableLines(told)}
`);
  setExitStatus(1);
});
