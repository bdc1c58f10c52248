import { type Command, type CommandTable, GLOBAL_OPTIONS, type OptionSpec } from "./command.ts";

export type Shell = "bash" | "zsh" | "fish";

/** What may follow the program's name, or a noun: words with what they do. */
type Words = readonly (readonly [word: string, describe: string])[];

function firstWords({ commands, nouns }: CommandTable): Words {
  const plain = commands
    .filter(({ name }) => !name.includes(" "))
    .map(({ name, describe }) => [name, describe] as const);
  return [...plain, ...Object.entries(nouns)];
}

function verbsOf({ commands }: CommandTable, noun: string): Words {
  return commands
    .filter(({ name }) => name.startsWith(`${noun} `))
    .map(({ name, describe }) => [name.slice(noun.length + 1), describe]);
}

function optionsOf({ options }: Pick<Command, "options">): readonly (readonly [string, OptionSpec])[] {
  return Object.entries<OptionSpec>({ ...options, ...GLOBAL_OPTIONS });
}

/** Options that take the name of a file. */
function takesFile({ value }: OptionSpec): boolean {
  return value === "FILE";
}

function choicesOf(command: Command): readonly string[] {
  return Object.values(command.positionals).flatMap(({ choices }) => choices ?? []);
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The completion of a shell, from the table of commands. */
export function completionScript(shell: Shell, table: CommandTable): string {
  return { bash, zsh, fish }[shell](table);
}

function bash(table: CommandTable): string {
  const global = Object.keys(GLOBAL_OPTIONS).map((name) => `--${name}`);
  const cases = table.commands.map((command) => {
    const options = [...Object.keys(command.options).map((name) => `--${name}`), ...global].join(" ");
    return `    ${quoted(command.name)}) options=${quoted(options)} choices=${quoted(choicesOf(command).join(" "))} ;;`;
  });
  const nouns = Object.keys(table.nouns).map((noun) => {
    const verbs = verbsOf(table, noun).map(([verb]) => verb);
    return `    ${noun}) if [ "$COMP_CWORD" = 2 ]; then choices=${quoted(verbs.join(" "))}; else name+=" \${COMP_WORDS[2]}"; fi ;;`;
  });
  const valueCase = (command: string, [name, spec]: readonly [string, OptionSpec]): readonly string[] => {
    if (spec.kind === "flag") return [];
    const generated =
      spec.choices === undefined ? (takesFile(spec) ? "-f" : undefined) : `-W ${quoted(spec.choices.join(" "))}`;
    const action = generated === undefined ? "" : `mapfile -t COMPREPLY < <(compgen ${generated} -- "$word"); `;
    return [`    ${command}:--${name}) ${action}return ;;`];
  };
  const values = [
    ...table.commands.flatMap(({ name, options }) =>
      Object.entries(options).flatMap((option) => valueCase(quoted(name), option)),
    ),
    ...Object.entries<OptionSpec>(GLOBAL_OPTIONS).flatMap((option) => valueCase("*", option)),
  ];
  return `# bash completion of upkeepctl
_upkeepctl() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} name=\${COMP_WORDS[1]} options="" choices=""
  COMPREPLY=()
  case $name in
${nouns.join("\n")}
  esac
  case $name:$before in
${values.join("\n")}
  esac
  if [ "$COMP_CWORD" = 1 ]; then
    choices=${quoted(
      firstWords(table)
        .map(([word]) => word)
        .join(" "),
    )}
  fi
  case $name in
${cases.join("\n")}
  esac
  if [[ $word == -* || -z $choices ]]; then choices=$options; fi
  if [[ $name == 'releases upload' && $word != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
  fi
}
complete -o filenames -F _upkeepctl upkeepctl
`;
}

function zsh(table: CommandTable): string {
  const described = (words: Words): string =>
    words.map(([word, describe]) => `      ${quoted(`${word}:${describe.replaceAll(":", "\\:")}`)}`).join("\n");
  const escaped = (text: string): string => text.replace(/[[\]\\:]/g, "\\$&");
  const argument = ([name, spec]: readonly [string, OptionSpec]): string => {
    const several = spec.kind === "texts" ? "*" : "";
    const label = spec.value ?? name;
    const action = spec.choices === undefined ? (takesFile(spec) ? "_files" : "") : `(${spec.choices.join(" ")})`;
    const value = spec.kind === "flag" ? "" : `:${escaped(label)}:${action}`;
    return quoted(`${several}--${name}[${escaped(spec.describe)}]${value}`);
  };
  const words = (command: Command): readonly string[] =>
    Object.entries(command.positionals).map(([name, { choices, several }]) => {
      const action = choices === undefined ? (name === "file" ? "_files" : "") : `(${choices.join(" ")})`;
      return quoted(`${several ? "*" : ""}:${name}:${action}`);
    });
  const cases = table.commands.map(
    (command) =>
      `    ${quoted(command.name)}) _arguments ${[...optionsOf(command).map(argument), ...words(command)].join(" ")} ;;`,
  );
  const nouns = Object.keys(table.nouns).map(
    (noun) => `    ${noun})
      if (( CURRENT == 2 )); then
        verbs=(
${described(verbsOf(table, noun))}
        )
        _describe verb verbs
        return
      fi
      name="$words[1] $words[2]"
      shift words
      (( CURRENT-- )) ;;`,
  );
  return `#compdef upkeepctl
# zsh completion of upkeepctl
_upkeepctl() {
  local -a commands verbs
  local name
  if (( CURRENT == 2 )); then
    commands=(
${described(firstWords(table))}
    )
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  name=$words[1]
  case $name in
${nouns.join("\n")}
  esac
  case $name in
${cases.join("\n")}
  esac
}
if [ "$funcstack[1]" = _upkeepctl ]; then _upkeepctl "$@"; else compdef _upkeepctl upkeepctl; fi
`;
}

function fish(table: CommandTable): string {
  const option = (condition: string, name: string, spec: OptionSpec): string => {
    const choices = spec.choices === undefined ? "" : ` -a ${quoted(spec.choices.join(" "))}`;
    const value = spec.kind === "flag" ? "" : takesFile(spec) ? " -r -F" : ` -x${choices}`;
    return `complete -c upkeepctl${condition} -l ${name}${value} -d ${quoted(spec.describe)}`;
  };
  const word = (condition: string, [name, describe]: readonly [string, string]): string =>
    `complete -c upkeepctl -n ${quoted(condition)} -a ${quoted(name)} -d ${quoted(describe)}`;
  const lines = [
    "# fish completion of upkeepctl",
    "complete -c upkeepctl -f",
    ...firstWords(table).map((one) => word("__fish_use_subcommand", one)),
    ...Object.keys(table.nouns).flatMap((noun) => {
      const verbs = verbsOf(table, noun);
      const none = verbs.map(([verb]) => verb).join(" ");
      return verbs.map((verb) =>
        word(`__fish_seen_subcommand_from ${noun}; and not __fish_seen_subcommand_from ${none}`, verb),
      );
    }),
    ...Object.entries(GLOBAL_OPTIONS).map(([name, spec]) => option("", name, spec)),
    ...table.commands.flatMap((command) => {
      const seen = command.name
        .split(" ")
        .map((one) => `__fish_seen_subcommand_from ${one}`)
        .join("; and ");
      const condition = ` -n ${quoted(seen)}`;
      const choices = choicesOf(command);
      return [
        ...Object.entries(command.options).map(([name, spec]) => option(condition, name, spec)),
        ...(choices.length === 0 ? [] : [`complete -c upkeepctl${condition} -a ${quoted(choices.join(" "))}`]),
        ...(command.name === "releases upload" ? [`complete -c upkeepctl${condition} -F`] : []),
      ];
    }),
  ];
  return `${lines.join("\n")}\n`;
}
