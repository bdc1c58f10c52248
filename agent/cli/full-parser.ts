import yargs, { type Argv, type Options as YargsOption } from "yargs";
import { AgentError } from "../errors.ts";
import { VERSION } from "../version.ts";
import {
  COMMANDS,
  type Command,
  camelCase,
  GLOBAL_OPTIONS,
  type OptionSpec,
  type ParsedLine,
  type ParsedOptions,
} from "./commands.ts";

function yargsOption({ kind, aliases = [], choices, describe }: OptionSpec): YargsOption {
  const alias = [...aliases];
  if (kind === "flag") return { type: "boolean", alias, describe };
  if (kind === "number") return { type: "number", alias, requiresArg: true, describe };
  if (kind === "texts") return { type: "string", alias, array: true, nargs: 1, requiresArg: true, describe };
  if (choices !== undefined) return { choices, alias, describe };
  return { type: "string", alias, requiresArg: true, describe };
}

function yargsOptions(specs: Readonly<Record<string, OptionSpec>>): Record<string, YargsOption> {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, yargsOption(spec)]));
}

/** Of an option that is given twice, the last one counts; unless it takes several texts. */
function lastOfEach(options: Record<string, unknown>): void {
  const several = COMMANDS.flatMap((command) => Object.entries(command.options))
    .filter(([, { kind }]) => kind === "texts")
    .flatMap(([name]) => [name, camelCase(name)]);
  for (const [name, value] of Object.entries(options)) {
    if (name !== "_" && !several.includes(name) && Array.isArray(value)) options[name] = value.at(-1);
  }
}

/** The values of the options and positionals that the command's row names. */
function valuesOf(command: Command, argv: Readonly<Record<string, unknown>>): ParsedOptions {
  const names = Object.keys({ ...GLOBAL_OPTIONS, ...command.options, ...command.positionals }).map(camelCase);
  const values = names.map((name) => [name, argv[name]] as const).filter(([, value]) => value !== undefined);
  return Object.fromEntries(values) as ParsedOptions;
}

/** `--version` beside a command would keep yargs from running the command, without a message. */
function withOptions(line: Argv, command: Command): Argv {
  let own = line.version(false).options(yargsOptions(command.options));
  for (const [name, { choices, describe }] of Object.entries(command.positionals)) {
    own = own.positional(name, {
      ...(choices === undefined ? { type: "string" } : { choices }),
      demandOption: true,
      describe,
    });
  }
  return own;
}

/**
 * Reads any command line.
 * @returns `undefined` if yargs has printed the help or the version: then nothing is to be run.
 * @throws AgentError `usage`, saying what is wrong with it.
 */
export async function parseFully(words: readonly string[]): Promise<ParsedLine | undefined> {
  let parsed: ParsedLine | undefined;
  let line: Argv = yargs([...words])
    .version(VERSION)
    .alias("version", "v")
    .scriptName("upkeep")
    .middleware(lastOfEach, true)
    .usage("$0 <command>\n\nKeeps this device's software up to date.")
    .options(yargsOptions(GLOBAL_OPTIONS));
  for (const command of COMMANDS) {
    line = line.command(
      [command.name, ...Object.keys(command.positionals).map((name) => `<${name}>`)].join(" "),
      command.describe,
      (own) => withOptions(own, command),
      (argv) => {
        parsed = { command, options: valuesOf(command, argv) };
      },
    );
  }
  await line
    .demandCommand(1, 1, "Which command?")
    .recommendCommands()
    .strict()
    .alias("help", "h")
    .detectLocale(false)
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new AgentError("usage", `${message} (see 'upkeep --help')`);
    })
    .parseAsync();
  return parsed;
}
