import { isSystemError } from "@upkeep/shared/system";
import { printableLines } from "@upkeep/shared/text";
import manifest from "../package.json" with { type: "json" };
import { promptStandardError, setExitStatus, standardOutput } from "../system/environment.ts";
import { CtlError, EXIT, type ExitCode } from "./failure.ts";

function complain(command: string, message: string): void {
  promptStandardError.write(`${["upkeepctl", command].join(" ").trim()}: ${printableLines(message)}\n`);
}

async function run(words: readonly string[]): Promise<ExitCode> {
  let name = "";
  try {
    const [{ parse }, { TABLE }] = await Promise.all([import("./parser.ts"), import("./commands.ts")]);
    const line = await parse(words, TABLE);
    if (line === undefined) return EXIT.ok;
    const { command, options, globals } = line;
    name = command.name;
    const [{ openSystem }, { NodeNetwork }, { Ctl }, execute] = await Promise.all([
      import("../system/index.ts"),
      import("../system/network.ts"),
      import("./context.ts"),
      command.load(),
    ]);
    return (await execute(options, new Ctl(openSystem(), new NodeNetwork(), TABLE, globals))) ?? EXIT.ok;
  } catch (error) {
    if (error instanceof CtlError) {
      complain(name, error.message);
      return error.exit;
    }
    if (isSystemError(error)) {
      complain(name, error.message);
      return error.code === "EINTR" ? EXIT.interrupted : EXIT.error;
    }
    complain(name, error instanceof Error ? (error.stack ?? error.message) : String(error));
    return EXIT.error;
  }
}

const words = process.argv.slice(2);
if (words.length === 1 && words[0] === "--version") standardOutput.write(`${manifest.version}\n`);
else setExitStatus(await run(words));
