import { KEYS } from "../config/keys.ts";
import type { ExitCode, Globals } from "./globals.ts";

type Run = (options: Globals) => Promise<ExitCode>;

/** Commands that have no words of their own: those that run often, or for ever. */
const COMMANDS: Readonly<Record<string, () => Promise<Run>>> = {
  daemon: async () => (await import("./daemon.ts")).runDaemon,
  "show-artifact": async () => (await import("./show-artifact.ts")).showArtifact,
  "show-provides": async () => (await import("./show-provides.ts")).showProvides,
  "check-update": async () => (await import("./check-update.ts")).checkUpdate,
  "send-inventory": async () => (await import("./send-inventory.ts")).sendInventory,
};

const TEXT = (value: string): boolean => value !== "" && !value.startsWith("-");
const LEVELS: readonly string[] = KEYS.DaemonLogLevel.type.choices;
const FORMATS: readonly string[] = ["human", "plain", "json", "journal"];

interface Option {
  readonly name: keyof Globals;
  readonly words: readonly string[];
  readonly takes: (value: string) => boolean;
}

const OPTIONS: readonly Option[] = [
  { name: "config", words: ["--config", "-c"], takes: TEXT },
  { name: "fallbackConfig", words: ["--fallback-config", "-b"], takes: TEXT },
  { name: "datastore", words: ["--datastore", "--data-dir", "--data", "-d"], takes: TEXT },
  { name: "root", words: ["--root"], takes: TEXT },
  { name: "logLevel", words: ["--log-level", "-l"], takes: (value) => LEVELS.includes(value) },
  { name: "logFormat", words: ["--log-format"], takes: (value) => FORMATS.includes(value) },
];

export interface QuickCommand {
  readonly load: () => Promise<Run>;
  readonly options: Globals;
}

/**
 * The plain command lines, read without the parser that knows all of them: that one takes longer to start than
 * these commands take to run, and would stay in the memory of a daemon for ever.
 * @returns `undefined` for whatever is not surely one of them: the parser reads it, and says what is wrong with it.
 */
export function quickCommand(words: readonly string[]): QuickCommand | undefined {
  const options: Record<string, string> = {};
  let load: QuickCommand["load"] | undefined;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    const [, long = word, inline] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? [];
    const option = OPTIONS.find((candidate) => candidate.words.includes(long));
    if (option !== undefined) {
      const value = inline ?? words[++index] ?? "";
      if (!option.takes(value)) return undefined;
      options[option.name] = value;
    } else {
      if (load !== undefined || !Object.hasOwn(COMMANDS, word)) return undefined;
      load = COMMANDS[word];
    }
  }
  return load === undefined ? undefined : { load, options: options as Globals };
}
