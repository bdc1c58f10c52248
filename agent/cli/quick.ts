import { KEYS } from "../config/keys.ts";
import type { ExitCode, Globals } from "./globals.ts";

type Run = (options: Globals, words: readonly string[]) => Promise<ExitCode>;

interface Command {
  /** Of each of its own words, whether it is what the command takes there. */
  readonly words: readonly ((word: string) => boolean)[];
  readonly load: () => Promise<Run>;
}

const TEXT = (value: string): boolean => value !== "" && !value.startsWith("-");

/** Commands that run often, for ever, or while the device waits for them. */
const COMMANDS: Readonly<Record<string, Command>> = {
  daemon: { words: [], load: async () => (await import("./daemon.ts")).runDaemon },
  "show-artifact": { words: [], load: async () => (await import("./show-artifact.ts")).showArtifact },
  "show-provides": { words: [], load: async () => (await import("./show-provides.ts")).showProvides },
  status: { words: [], load: async () => (await import("./status.ts")).status },
  "check-update": { words: [], load: async () => (await import("./check-update.ts")).checkUpdate },
  "send-inventory": { words: [], load: async () => (await import("./send-inventory.ts")).sendInventory },
  install: {
    words: [TEXT],
    load: async () => {
      const { install } = await import("./install.ts");
      return (options, [artifact = ""]) => install({ ...options, artifact });
    },
  },
  resume: { words: [], load: async () => (await import("./resume.ts")).resume },
  commit: { words: [], load: async () => (await import("./commit.ts")).commit },
  rollback: { words: [], load: async () => (await import("./rollback.ts")).rollback },
  // Each call of the module is a process of its own.
  module: {
    words: [(name) => name === "rootfs-image", TEXT, TEXT],
    load: async () => {
      const { runModule } = await import("./module.ts");
      return (options, [, call = "", workTree = ""]) => runModule({ ...options, call, workTree });
    },
  },
};

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
  readonly load: () => Promise<(options: Globals) => Promise<ExitCode>>;
  readonly options: Globals;
}

/**
 * The plain command lines, read without the parser that knows all of them: that one takes longer to start than
 * these commands take to run, and would stay in the memory of a daemon for ever.
 * @returns `undefined` for whatever is not surely one of them: the parser reads it, and says what is wrong with it.
 */
export function quickCommand(line: readonly string[]): QuickCommand | undefined {
  const options: Record<string, string> = {};
  const words: string[] = [];
  let command: Command | undefined;
  for (let index = 0; index < line.length; index++) {
    const word = line[index] ?? "";
    const [, long = word, inline] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? [];
    const option = OPTIONS.find((candidate) => candidate.words.includes(long));
    if (option !== undefined) {
      const value = inline ?? line[++index] ?? "";
      if (!option.takes(value)) return undefined;
      options[option.name] = value;
    } else if (command !== undefined) {
      if (command.words[words.length]?.(word) !== true) return undefined;
      words.push(word);
    } else {
      if (!Object.hasOwn(COMMANDS, word)) return undefined;
      command = COMMANDS[word];
    }
  }
  if (command === undefined || words.length < command.words.length) return undefined;
  const { load } = command;
  return {
    load: async () => {
      const run = await load();
      return (given) => run(given, words);
    },
    options: options as Globals,
  };
}
