import yargs, { type Argv, type PositionalOptions, type Options as YargsOption } from "yargs";
import manifest from "../package.json" with { type: "json" };
import {
  type Command,
  type CommandTable,
  camelCase,
  GLOBAL_OPTIONS,
  type GlobalOptions,
  type OptionSpec,
  type Options,
  type ParsedOptions,
  type PositionalSpec,
  type Positionals,
} from "./command.ts";
import { usage } from "./failure.ts";
import { positionalUsage } from "./usage.ts";

/** A command line that was understood. */
export interface ParsedLine {
  readonly command: Command;
  readonly options: ParsedOptions;
  readonly globals: GlobalOptions;
}

function yargsOption({ kind, aliases = [], choices, describe }: OptionSpec): YargsOption {
  const common = { alias: [...aliases], describe };
  if (kind === "flag") return { ...common, type: "boolean" };
  if (kind === "number") return { ...common, type: "number", requiresArg: true };
  const text = { ...common, requiresArg: true, ...(choices === undefined ? {} : { choices }) };
  return kind === "texts" ? { ...text, type: "string", array: true, nargs: 1 } : { ...text, type: "string" };
}

function yargsOptions(specs: Options): Record<string, YargsOption> {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, yargsOption(spec)]));
}

function yargsPositional({ describe, choices, optional, several }: PositionalSpec): PositionalOptions {
  return {
    type: "string",
    describe,
    ...(choices === undefined ? {} : { choices }),
    ...(several ? { array: true } : {}),
    ...(optional ? {} : { demandOption: true }),
  } as PositionalOptions;
}

/** The values that the command line has. Of an option that is given twice, the last one counts. */
function valuesOf(specs: Options, argv: Readonly<Record<string, unknown>>): ParsedOptions {
  const values = Object.entries(specs).map(([name, { kind }]) => {
    const value = argv[camelCase(name)];
    const one: unknown = kind !== "texts" && Array.isArray(value) ? value.at(-1) : value;
    if (kind === "number" && Number.isNaN(one)) throw usage(`--${name}: must be a number`);
    return [camelCase(name), one] as const;
  });
  return Object.fromEntries(values.filter(([, value]) => value !== undefined)) as ParsedOptions;
}

function wordsOf(positionals: Positionals, argv: Readonly<Record<string, unknown>>): ParsedOptions {
  const values = Object.keys(positionals).map((name) => [camelCase(name), argv[camelCase(name)]] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined)) as ParsedOptions;
}

/** What is wrong, and where the help of the command is that the line begins with. */
function complaint(message: string, words: readonly string[], commands: CommandTable["commands"]): string {
  const line = words.join(" ");
  const command = commands.find(({ name }) => line === name || line.startsWith(`${name} `));
  if (command === undefined) return `${message} (see 'upkeepctl --help')`;
  const help = `(see 'upkeepctl ${command.name} --help')`;
  if (!message.startsWith("Not enough")) return `${message.replace(/\s*\n\s*/g, " ")} ${help}`;
  const positionals = Object.entries(command.positionals).map(([word, spec]) => positionalUsage(word, spec));
  return `A word is missing: ${["upkeepctl", command.name, ...positionals].join(" ")} ${help}`;
}

/**
 * Reads the command line.
 * @returns `undefined` if help or version was printed.
 * @throws CtlError (usage)
 */
export async function parse(
  words: readonly string[],
  { commands, nouns }: CommandTable,
): Promise<ParsedLine | undefined> {
  let parsed: ParsedLine | undefined;
  const register = (line: Argv, command: Command, name: string): Argv => {
    const positionals = Object.entries(command.positionals);
    return line.command(
      [name, ...positionals.map(([word, spec]) => positionalUsage(word, spec))].join(" "),
      command.describe,
      (own) =>
        positionals.reduce(
          (builder, [word, spec]) => builder.positional(word, yargsPositional(spec)),
          own
            .version(false)
            .options(yargsOptions(command.options))
            .group([...Object.keys(command.options), "help"], "Options:")
            .group(Object.keys(GLOBAL_OPTIONS), "Server and login:"),
        ),
      (argv) => {
        const options = { ...valuesOf(command.options, argv), ...wordsOf(command.positionals, argv) };
        parsed = { command, options, globals: valuesOf(GLOBAL_OPTIONS, argv) as GlobalOptions };
      },
    );
  };
  let line: Argv = yargs([...words])
    .scriptName("upkeepctl")
    .usage("$0 COMMAND\n\nWhat an operator does with a fleet, on an Upkeep server or another one with Mender's API.")
    .options(yargsOptions(GLOBAL_OPTIONS))
    .version(manifest.version);
  for (const command of commands) {
    if (!command.name.includes(" ")) line = register(line, command, command.name);
  }
  for (const [noun, describe] of Object.entries(nouns)) {
    const own = commands.filter(({ name }) => name.startsWith(`${noun} `));
    line = line.command(noun, describe, (builder) =>
      own
        .reduce(
          (verbs, command) => register(verbs, command, command.name.slice(noun.length + 1)),
          builder.version(false),
        )
        .demandCommand(
          1,
          1,
          `Say what to do: upkeepctl ${noun} ${own.map(({ name }) => name.split(" ")[1]).join("|")}`,
        ),
    );
  }
  await line
    .demandCommand(1, "Say what to do: one of the commands above.")
    .recommendCommands()
    .strict()
    .parserConfiguration({ "parse-positional-numbers": false })
    .alias("help", "h")
    .locale("en")
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? usage(complaint(message, words, commands));
    })
    .parseAsync();
  return parsed;
}
