import { outputFailed, writeError, writeOutput } from "../system/terminal.ts";
import { VERSION } from "../version.ts";
import { explain } from "./explain.ts";
import { EXIT, tellModules } from "./globals.ts";
import { quickCommand } from "./quick.ts";

/** What the program begins with: the plain commands at once, all others through the whole command line. */
async function start(): Promise<void> {
  const words = process.argv.slice(2);
  if (words.length === 1 && (words[0] === "--version" || words[0] === "-v")) {
    writeOutput(`${VERSION}\n`);
    return;
  }
  const command = quickCommand(words);
  if (command === undefined) {
    await import("./main.ts");
    return;
  }
  // Until it is known: a program whose last promise never settles just ends.
  process.exitCode = EXIT.failure;
  try {
    tellModules(command.options);
    const code = await (await command.load())(command.options);
    process.exitCode = outputFailed() ? EXIT.failure : code;
  } catch (error) {
    writeError(`upkeep: ${explain(error)}\n`);
    process.exitCode = EXIT.failure;
  }
}

void start();
