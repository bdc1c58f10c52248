import { writeError } from "../system/terminal.ts";
import { explain } from "./explain.ts";
import { EXIT, tellModules } from "./globals.ts";
import { quickCommand } from "./quick.ts";

/** What the program begins with: the plain commands at once, all others through the whole command line. */
async function start(): Promise<void> {
  const command = quickCommand(process.argv.slice(2));
  if (command === undefined) {
    await import("./main.ts");
    return;
  }
  try {
    tellModules(command.options);
    process.exitCode = await (await command.load())(command.options);
  } catch (error) {
    writeError(`upkeep: ${explain(error)}\n`);
    process.exitCode = EXIT.failure;
  }
}

void start();
