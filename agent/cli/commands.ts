import { KEYS } from "../config/keys.ts";
import type { ExitCode, Globals } from "./globals.ts";

/** One option of the command line. */
export interface OptionSpec {
  readonly kind: "text" | "texts" | "number" | "flag";
  readonly aliases?: readonly string[];
  /** The texts that the option takes; any if absent. */
  readonly choices?: readonly string[];
  readonly describe: string;
}

/** A word that follows the command's name. */
export interface PositionalSpec {
  readonly choices?: readonly string[];
  readonly describe: string;
}

type Options = Readonly<Record<string, OptionSpec>>;
type Positionals = Readonly<Record<string, PositionalSpec>>;

/** What a command line says, by the names of the options and positionals in camelCase. */
export type ParsedOptions = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface Command {
  readonly name: string;
  readonly describe: string;
  readonly positionals: Positionals;
  /** Its own, besides {@link GLOBAL_OPTIONS}. */
  readonly options: Options;
  /** Each command's module is loaded only when it is called: a device starts slowly. */
  readonly load: () => Promise<(options: ParsedOptions) => Promise<ExitCode>>;
}

/** A command line that was understood. */
export interface ParsedLine {
  readonly command: Command;
  readonly options: ParsedOptions;
}

type Camel<Name> = Name extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : Name;

type Value<Spec extends OptionSpec> = Spec["kind"] extends "flag"
  ? boolean
  : Spec["kind"] extends "number"
    ? number
    : Spec["kind"] extends "texts"
      ? readonly string[]
      : string;

/** What the function of a command with these options and positionals is called with. */
type Arguments<Own extends Options, Words extends Positionals> = Globals & {
  readonly [Name in keyof Own as Camel<Name> & string]?: Value<Own[Name]>;
} & { readonly [Name in keyof Words as Camel<Name> & string]: string };

interface TypedCommand<Own extends Options, Words extends Positionals> extends Omit<Command, "load"> {
  readonly options: Own;
  readonly positionals: Words;
  readonly load: () => Promise<(options: Arguments<Own, Words>) => Promise<ExitCode>>;
}

/** Checks that the command's function takes what its row says. */
function command<const Own extends Options, const Words extends Positionals>(
  name: string,
  describe: string,
  positionals: Words,
  options: Own,
  load: TypedCommand<Own, Words>["load"],
): Command {
  // Both parsers read values as the row says.
  return { name, describe, positionals, options, load } as Command & TypedCommand<Own, Words>;
}

export function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Options of every command. */
export const GLOBAL_OPTIONS = {
  config: { kind: "text", aliases: ["c"], describe: "Configuration file" },
  "fallback-config": { kind: "text", aliases: ["b"], describe: "Configuration below it" },
  datastore: { kind: "text", aliases: ["d", "data-dir", "data"], describe: "Data directory" },
  root: { kind: "text", describe: "Directory under which all paths of the device are" },
  "trusted-certs": {
    kind: "text",
    aliases: ["E"],
    describe: "PEM certificates to trust in addition to the system's, instead of ServerCertificate's",
  },
  skipverify: { kind: "flag", describe: "Accept any certificate of the server; only for development" },
  "log-file": {
    kind: "text",
    aliases: ["L"],
    describe: "File to which the log is appended, instead of standard error",
  },
  "log-level": {
    kind: "text",
    aliases: ["l"],
    choices: KEYS.DaemonLogLevel.type.choices,
    describe: "Least severe level that is logged",
  },
  "log-format": { kind: "text", choices: ["human", "plain", "json", "journal"], describe: "How each line is logged" },
} as const satisfies Options;

const REBOOT_EXIT_CODE = {
  "reboot-exit-code": { kind: "flag", describe: "Exit with 4 if a reboot is needed" },
} as const;

const PASSPHRASE_FILE = {
  "passphrase-file": {
    kind: "text",
    describe: "File whose first line is the passphrase of the device's key; - for standard input",
  },
} as const;

const STOP_BEFORE = {
  "stop-before": {
    kind: "texts",
    describe:
      "State before which to stop: ArtifactInstall_Enter, ArtifactCommit_Enter, ArtifactCommit_Leave, " +
      "ArtifactRollback_Enter, ArtifactFailure_Enter or Cleanup; may be given several times",
  },
} as const;

/** The commands, in the order in which the help shows them. */
export const COMMANDS: readonly Command[] = [
  command(
    "daemon",
    "Update this device whenever its server has a deployment for it",
    {},
    PASSPHRASE_FILE,
    async () => (await import("./daemon.ts")).runDaemon,
  ),
  command(
    "check",
    "Ask for an update once, install it, and end: for a timer, in place of the daemon",
    {},
    {
      now: { kind: "flag", describe: "Ask also if UpdatePollSchedule, or a busy server, says later" },
      ...PASSPHRASE_FILE,
    },
    async () => (await import("./check.ts")).check,
  ),
  command(
    "install",
    "Install an artifact from a file or a URL",
    { artifact: { describe: "File, or http(s) URL" } },
    { ...REBOOT_EXIT_CODE, ...STOP_BEFORE },
    async () => (await import("./install.ts")).install,
  ),
  command(
    "resume",
    "Resume an installation that was stopped or interrupted",
    {},
    { ...REBOOT_EXIT_CODE, ...STOP_BEFORE },
    async () => (await import("./resume.ts")).resume,
  ),
  command("commit", "Keep what was installed", {}, STOP_BEFORE, async () => (await import("./commit.ts")).commit),
  command(
    "rollback",
    "Go back to what ran before the installation",
    {},
    STOP_BEFORE,
    async () => (await import("./rollback.ts")).rollback,
  ),
  command(
    "show-artifact",
    "Print the name of the installed artifact",
    {},
    {},
    async () => (await import("./show-artifact.ts")).showArtifact,
  ),
  command(
    "show-provides",
    "Print all that the installed software provides",
    {},
    {},
    async () => (await import("./show-provides.ts")).showProvides,
  ),
  command(
    "status",
    "Tell what the device is doing, and why",
    {},
    { json: { kind: "flag", describe: "For programs" } },
    async () => (await import("./status.ts")).status,
  ),
  command(
    "bootstrap",
    "Make the device's key if there is none, and log in once",
    {},
    {
      force: {
        kind: "flag",
        aliases: ["F", "forcebootstrap"],
        describe: "Make a new key: the server sees a new device then",
      },
      ...PASSPHRASE_FILE,
    },
    async () => (await import("./bootstrap.ts")).bootstrap,
  ),
  command(
    "setup",
    "Write the configuration: asks on a terminal, or takes flags",
    {},
    {
      "device-type": { kind: "text", describe: "What artifacts must be made for" },
      "server-url": { kind: "text", aliases: ["url"], describe: "The server" },
      identity: {
        kind: "texts",
        describe: "What identifies the device, as KEY=VALUE: writes an identity program; may be given several times",
      },
      "server-cert": {
        kind: "text",
        describe: "PEM certificates to trust in addition to the system's, as -E",
      },
      "tenant-token": { kind: "text", describe: "Of a server that serves several tenants" },
      "update-poll": { kind: "number", describe: "Seconds between two polls" },
      "inventory-poll": { kind: "number", describe: "Seconds between two inventories" },
      "retry-poll": { kind: "number", describe: "Longest pause before another try, in seconds" },
      demo: { kind: "flag", describe: "A server on this machine, asked every few seconds" },
    },
    async () => (await import("./setup.ts")).setup,
  ),
  command(
    "adopt",
    "Take over from an installed Mender client: its key, configuration and provides",
    {},
    {
      from: { kind: "text", describe: "Its data directory, if not /var/lib/mender" },
      force: { kind: "flag", describe: "Replace the key and provides that upkeep has already" },
      ...PASSPHRASE_FILE,
    },
    async () => (await import("./adopt.ts")).adopt,
  ),
  command(
    "check-update",
    "Let the running daemon ask for an update now",
    {},
    {},
    async () => (await import("./check-update.ts")).checkUpdate,
  ),
  command(
    "send-inventory",
    "Let the running daemon send the inventory now",
    {},
    {},
    async () => (await import("./send-inventory.ts")).sendInventory,
  ),
  command(
    "module",
    "Run an update module that is part of this program",
    {
      name: { choices: ["rootfs-image"], describe: "Payload type" },
      call: { describe: "Call of the protocol, or state" },
      "work-tree": { describe: "Directory of the payload" },
    },
    {},
    async () => (await import("./module.ts")).runModule,
  ),
];
