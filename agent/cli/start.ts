import { saveMemory } from "../system/runtime.ts";
import { outputFailed, writeOutput } from "../system/terminal.ts";
import { VERSION } from "../version.ts";
import type { ParsedLine } from "./commands.ts";
import { complain } from "./complain.ts";
import { explain } from "./explain.ts";
import { EXIT, type ExitCode, type Globals, tellModules } from "./globals.ts";
import { parseQuickly } from "./quick-parser.ts";

async function parse(words: readonly string[]): Promise<ParsedLine | undefined> {
  return parseQuickly(words) ?? (await (await import("./full-parser.ts")).parseFully(words));
}

async function run(words: readonly string[]): Promise<ExitCode> {
  let options: Pick<Globals, "logFormat"> = {};
  try {
    const line = await parse(words);
    if (line === undefined) return EXIT.ok;
    options = line.options;
    tellModules(line.options);
    return await (await line.command.load())(line.options);
  } catch (error) {
    await complain(explain(error), options);
    return EXIT.failure;
  }
}

/** The entry of the program. */
async function start(): Promise<void> {
  const words = process.argv.slice(2);
  if (words.length === 1 && (words[0] === "--version" || words[0] === "-v")) {
    writeOutput(`${VERSION}\n`);
    return;
  }
  saveMemory();
  // Node ends a program whose last promise never settles; then this is its exit code.
  process.exitCode = EXIT.failure;
  const code = await run(words);
  process.exitCode = outputFailed() ? EXIT.failure : code;
}

void start();
