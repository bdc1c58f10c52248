import { printableLines } from "@upkeep/shared/text";
import yargs from "yargs";
import manifest from "../package.json" with { type: "json" };
import { setExitStatus, standardError } from "../system/environment.ts";
import { lazyCommands } from "./commands.ts";
import { CommandError } from "./failure.ts";

const openSystem = async () => (await import("../system/index.ts")).openSystem();

async function main(args: readonly string[]): Promise<void> {
  const parser = yargs([...args]);
  // With a command, --version would do nothing and exit with 0, and `artifact write` has a flag of that name.
  if (args.every((word) => word.startsWith("-"))) parser.version(manifest.version);
  else parser.version(false);
  await parser
    .scriptName("upkeep-server")
    .usage("$0 COMMAND\n\nThe Upkeep companion server: decides which deployment a device gets, and serves it.")
    .command(lazyCommands(openSystem))
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

main(process.argv.slice(2)).catch(async (error: unknown) => {
  standardError.write(`upkeep-server: ${printableLines(await told(error))}\n`);
  setExitStatus(1);
});

async function told(error: unknown): Promise<string> {
  if (error instanceof CommandError) return error.message;
  const { explained } = await import("../storage/index.ts");
  return explained(error) ?? (error instanceof Error ? (error.stack ?? error.message) : String(error));
}
