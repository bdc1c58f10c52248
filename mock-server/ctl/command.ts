import type { Ctl } from "./context.ts";
import type { ExitCode } from "./failure.ts";

/** One option of the command line. */
export interface OptionSpec {
  readonly kind: "text" | "texts" | "number" | "flag";
  readonly aliases?: readonly string[];
  /** The texts that the option takes; any if absent. */
  readonly choices?: readonly string[];
  /** What stands for its value in help and manual: `FILE`. */
  readonly value?: string;
  readonly describe: string;
}

/** A word behind the command's name. */
export interface PositionalSpec {
  readonly choices?: readonly string[];
  readonly describe: string;
  /** It may be left out. */
  readonly optional?: true;
  /** It takes all words that follow. */
  readonly several?: true;
}

export type Options = Readonly<Record<string, OptionSpec>>;
export type Positionals = Readonly<Record<string, PositionalSpec>>;

/** What a command line says, by the names of the options and positionals in camelCase. */
export type ParsedOptions = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** A row of the table of commands. */
export interface Command {
  /** `deploy`, or a noun and a verb: `devices list`. */
  readonly name: string;
  readonly describe: string;
  /** More for the manual, in paragraphs. */
  readonly details: readonly string[];
  readonly positionals: Positionals;
  /** Its own, besides {@link GLOBAL_OPTIONS}. */
  readonly options: Options;
  /** Each command's module is loaded only when it is called. */
  readonly load: () => Promise<(options: ParsedOptions, ctl: Ctl) => Promise<ExitCode | undefined>>;
}

/** All commands. */
export interface CommandTable {
  readonly commands: readonly Command[];
  /** What commands of a noun and a verb are about. */
  readonly nouns: Readonly<Record<string, string>>;
}

type Camel<Name> = Name extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : Name;

type OptionValue<Spec extends OptionSpec> = Spec["kind"] extends "flag"
  ? boolean
  : Spec["kind"] extends "number"
    ? number
    : Spec["kind"] extends "texts"
      ? readonly string[]
      : Spec extends { readonly choices: readonly (infer Choice)[] }
        ? Choice
        : string;

type Word<Spec extends PositionalSpec> = Spec extends { readonly several: true }
  ? readonly string[]
  : Spec extends { readonly choices: readonly (infer Choice)[] }
    ? Choice
    : string;

/** What the function of a command with these options and positionals is called with. */
export type Arguments<Own extends Options, Words extends Positionals> = {
  readonly [Name in keyof Own as Camel<Name> & string]?: OptionValue<Own[Name]>;
} & {
  readonly [Name in keyof Words as Words[Name] extends { readonly optional: true }
    ? never
    : Camel<Name> & string]: Word<Words[Name]>;
} & {
  readonly [Name in keyof Words as Words[Name] extends { readonly optional: true }
    ? Camel<Name> & string
    : never]?: Word<Words[Name]>;
};

interface TypedRow<Own extends Options, Words extends Positionals> {
  readonly describe: string;
  readonly details?: readonly string[];
  readonly positionals?: Words;
  readonly options?: Own;
  readonly load: () => Promise<(options: Arguments<Own, Words>, ctl: Ctl) => Promise<ExitCode | undefined>>;
}

/** A row, checked: the command's function takes what the row says. */
export function command<const Own extends Options, const Words extends Positionals>(
  name: string,
  { describe, details = [], positionals, options, load }: TypedRow<Own, Words>,
): Command {
  // The parser reads values as the row says.
  const loaded = load as unknown as Command["load"];
  return { name, describe, details, positionals: positionals ?? {}, options: options ?? {}, load: loaded };
}

export function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Options of every command. */
export const GLOBAL_OPTIONS = {
  profile: { kind: "text", value: "NAME", describe: "Profile with the server and the login (variable UPKEEP_PROFILE)" },
  server: { kind: "text", value: "URL", describe: "Server, in place of the profile's (variable UPKEEP_SERVER)" },
  token: { kind: "text", value: "FILE", describe: "File with a token, in place of the profile's" },
  "token-value": {
    kind: "text",
    value: "TOKEN",
    describe: "The token itself; other users of this machine can see it: better the variable UPKEEP_TOKEN",
  },
  ca: { kind: "text", value: "FILE", describe: "PEM certificates to trust in addition to those that Node knows" },
  insecure: { kind: "flag", aliases: ["k", "skip-verify"], describe: "Accept any certificate of the server" },
  json: { kind: "flag", describe: "For programs: JSON; one object a line where something is followed" },
} as const satisfies Options;

export type GlobalOptions = Arguments<typeof GLOBAL_OPTIONS, Record<never, PositionalSpec>>;
