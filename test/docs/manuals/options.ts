import type { Item } from "./roff.ts";

/** An option, as the tables of upkeep and upkeepctl have it. */
interface OptionSpec {
  readonly kind: string;
  readonly aliases?: readonly string[];
  readonly choices?: readonly string[];
  readonly value?: string;
  readonly describe: string;
}

/** `-k`, `--ca FILE`. */
export function flagText(names: readonly string[], value: string): string {
  const flags = [...names]
    .sort((a, b) => a.length - b.length)
    .map((name) => (name.length === 1 ? `-${name}` : `--${name}`));
  return `${flags.join(", ")}${value === "" ? "" : ` ${value}`}`;
}

export function optionItems(options: Readonly<Record<string, OptionSpec>>): readonly Item[] {
  return Object.entries(options).map(([name, { kind, aliases = [], choices, value, describe }]) => {
    const shown = kind === "flag" ? "" : (choices?.join("|") ?? value ?? (kind === "number" ? "NUMBER" : "VALUE"));
    return { term: flagText([name, ...aliases], shown), text: `${describe}.` };
  });
}

interface PositionalSpec {
  readonly choices?: readonly string[];
  readonly describe: string;
}

export function positionalItems(positionals: Readonly<Record<string, PositionalSpec>>): readonly Item[] {
  return Object.entries(positionals).map(([name, { choices, describe }]) => ({
    term: name,
    text: `${describe}${choices === undefined ? "" : `: ${choices.join(", ")}`}.`,
  }));
}
