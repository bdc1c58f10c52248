import { COMMANDS, type Command, camelCase, GLOBAL_OPTIONS, type OptionSpec, type ParsedLine } from "./commands.ts";

/** The option that a word names, with the name of its value. */
function optionNamed(word: string, command: Command | undefined): readonly [string, OptionSpec] | undefined {
  const specs: readonly (readonly [string, OptionSpec])[] = [
    ...Object.entries(GLOBAL_OPTIONS),
    ...Object.entries(command?.options ?? {}),
  ];
  return specs.find(([name, { aliases = [] }]) =>
    [name, ...aliases].some((one) => word === `${one.length === 1 ? "-" : "--"}${one}`),
  );
}

function isPlain(value: string, choices: readonly string[] | undefined): boolean {
  return value !== "" && !value.startsWith("-") && (choices === undefined || choices.includes(value));
}

/**
 * Reads a plain command line without yargs, which takes longer to load than these commands take to run, and would stay in
 * the memory of a daemon.
 * @returns `undefined` for every line that is not plain: the full parser reads it, or says what is wrong with it.
 */
export function parseQuickly(line: readonly string[]): ParsedLine | undefined {
  const options: Record<string, string | boolean> = {};
  let command: Command | undefined;
  let expected: string[] = [];
  for (let index = 0; index < line.length; index++) {
    const word = line[index] ?? "";
    const [, long = word, inline] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? [];
    const option = optionNamed(long, command);
    if (option !== undefined) {
      const [name, { kind, choices }] = option;
      if (kind === "text") {
        const value = inline ?? line[++index] ?? "";
        if (!isPlain(value, choices)) return undefined;
        options[camelCase(name)] = value;
      } else if (kind === "flag" && inline === undefined && !/^(true|false)$/.test(line[index + 1] ?? "")) {
        options[camelCase(name)] = true;
      } else return undefined;
    } else if (command === undefined) {
      command = COMMANDS.find(({ name }) => name === word);
      if (command === undefined) return undefined;
      expected = Object.keys(command.positionals);
    } else {
      const name = expected.shift();
      if (name === undefined || !isPlain(word, command.positionals[name]?.choices)) return undefined;
      options[camelCase(name)] = word;
    }
  }
  return command === undefined || expected.length > 0 ? undefined : { command, options };
}
