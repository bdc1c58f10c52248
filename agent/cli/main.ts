import yargs, { type Argv } from "yargs";
import { KEYS } from "../config/keys.ts";
import { AgentError } from "../errors.ts";
import { outputFailed, writeError } from "../system/terminal.ts";
import { VERSION } from "../version.ts";
import { explain } from "./explain.ts";
import { EXIT, type ExitCode, tellModules } from "./globals.ts";

/** What came of the command. */
let exitCode: ExitCode = EXIT.ok;

const REBOOT_EXIT_CODE = {
  "reboot-exit-code": { type: "boolean", describe: "Exit with 4 if a reboot is needed" },
} as const;

const PASSPHRASE_FILE = {
  "passphrase-file": {
    type: "string",
    requiresArg: true,
    describe: "File whose first line is the passphrase of the device's key; - for standard input",
  },
} as const;

const STOP_BEFORE = {
  "stop-before": {
    type: "string",
    array: true,
    nargs: 1,
    requiresArg: true,
    describe:
      "State before which to stop: ArtifactInstall_Enter, ArtifactCommit_Enter, ArtifactCommit_Leave, " +
      "ArtifactRollback_Enter, ArtifactFailure_Enter or Cleanup; may be given several times",
  },
} as const;

/** Of an option that is given twice, the last one counts; unless it is one that may be. */
function lastOfEach(options: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(options)) {
    if (name !== "_" && !/^stop-?before$/i.test(name) && Array.isArray(value)) options[name] = value.at(-1);
  }
}

/** `--version` asks for nothing else: beside a command, it would keep that from being carried out, without a word. */
function withoutVersion<T>(command: Argv<T>): Argv<T> {
  return command.version(false);
}

/** Each command is loaded only when it is called for: starting must be cheap on a device. */
function commandLine(words: readonly string[]) {
  return yargs(words)
    .version(VERSION)
    .alias("version", "v")
    .scriptName("upkeep")
    .middleware(lastOfEach, true)
    .usage("$0 <command>\n\nKeeps this device's software up to date.")
    .options({
      config: { alias: "c", type: "string", requiresArg: true, describe: "Configuration file" },
      "fallback-config": { alias: "b", type: "string", requiresArg: true, describe: "Configuration below it" },
      datastore: { alias: ["d", "data-dir", "data"], type: "string", requiresArg: true, describe: "Data directory" },
      root: { type: "string", requiresArg: true, describe: "Directory under which all paths of the device are" },
      "log-level": {
        alias: "l",
        choices: KEYS.DaemonLogLevel.type.choices,
        describe: "Least severe level that is logged",
      },
      "log-format": { choices: ["human", "plain", "json", "journal"] as const, describe: "How each line is logged" },
    })
    .middleware(({ root, config, fallbackConfig }) => tellModules({ root, config, fallbackConfig }))
    .command(
      "daemon",
      "Update this device whenever its server has something for it",
      (command) => withoutVersion(command).options(PASSPHRASE_FILE),
      async (options) => {
        exitCode = await (await import("./daemon.ts")).runDaemon(options);
      },
    )
    .command(
      "install <artifact>",
      "Install an artifact from a file or a URL",
      (command) =>
        withoutVersion(command)
          .positional("artifact", { type: "string", demandOption: true, describe: "File, or http(s) URL" })
          .options({ ...REBOOT_EXIT_CODE, ...STOP_BEFORE }),
      async (options) => {
        exitCode = await (await import("./install.ts")).install(options);
      },
    )
    .command(
      "resume",
      "Go on with an installation that was stopped or interrupted",
      (command) => withoutVersion(command).options({ ...REBOOT_EXIT_CODE, ...STOP_BEFORE }),
      async (options) => {
        exitCode = await (await import("./resume.ts")).resume(options);
      },
    )
    .command(
      "commit",
      "Keep what was installed",
      (command) => withoutVersion(command).options(STOP_BEFORE),
      async (options) => {
        exitCode = await (await import("./commit.ts")).commit(options);
      },
    )
    .command(
      "rollback",
      "Go back to what ran before the installation",
      (command) => withoutVersion(command).options(STOP_BEFORE),
      async (options) => {
        exitCode = await (await import("./rollback.ts")).rollback(options);
      },
    )
    .command(
      "show-artifact",
      "Print the name of the installed artifact",
      (command) => withoutVersion(command),
      async (options) => {
        exitCode = await (await import("./show-artifact.ts")).showArtifact(options);
      },
    )
    .command(
      "show-provides",
      "Print all that the installed software provides",
      (command) => withoutVersion(command),
      async (options) => {
        exitCode = await (await import("./show-provides.ts")).showProvides(options);
      },
    )
    .command(
      "status",
      "Tell what the device is doing, and why",
      (command) => withoutVersion(command).option("json", { type: "boolean", describe: "For programs" }),
      async (options) => {
        exitCode = await (await import("./status.ts")).status(options);
      },
    )
    .command(
      "bootstrap",
      "Make the device's key if there is none, and log in once",
      (command) =>
        withoutVersion(command).options({
          force: {
            alias: ["F", "forcebootstrap"],
            type: "boolean",
            describe: "Make a new key: the server sees a new device then",
          },
          ...PASSPHRASE_FILE,
        }),
      async (options) => {
        exitCode = await (await import("./bootstrap.ts")).bootstrap(options);
      },
    )
    .command(
      "setup",
      "Write the configuration: asks on a terminal, or takes flags",
      (command) =>
        withoutVersion(command).options({
          "device-type": { type: "string", requiresArg: true, describe: "What artifacts must be made for" },
          "server-url": { alias: "url", type: "string", requiresArg: true, describe: "The server" },
          "server-cert": {
            alias: "E",
            type: "string",
            requiresArg: true,
            describe: "PEM certificates to trust in addition to the system's",
          },
          "tenant-token": { type: "string", requiresArg: true, describe: "Of a server that serves several tenants" },
          "update-poll": { type: "number", requiresArg: true, describe: "Seconds between two polls" },
          "inventory-poll": { type: "number", requiresArg: true, describe: "Seconds between two inventories" },
          "retry-poll": { type: "number", requiresArg: true, describe: "Longest pause before another try, in seconds" },
          demo: { type: "boolean", describe: "A server on this machine, asked every few seconds" },
        }),
      async (options) => {
        exitCode = await (await import("./setup.ts")).setup(options);
      },
    )
    .command(
      "adopt",
      "Take over from an installed Mender client: its key, configuration and provides",
      (command) =>
        withoutVersion(command).options({
          from: { type: "string", requiresArg: true, describe: "Its data directory, if not /var/lib/mender" },
          force: { type: "boolean", describe: "Replace the key and provides that upkeep has already" },
          ...PASSPHRASE_FILE,
        }),
      async (options) => {
        exitCode = await (await import("./adopt.ts")).adopt(options);
      },
    )
    .command(
      "check-update",
      "Let the running daemon ask for an update now",
      (command) => withoutVersion(command),
      async (options) => {
        exitCode = await (await import("./check-update.ts")).checkUpdate(options);
      },
    )
    .command(
      "send-inventory",
      "Let the running daemon send the inventory now",
      (command) => withoutVersion(command),
      async (options) => {
        exitCode = await (await import("./send-inventory.ts")).sendInventory(options);
      },
    )
    .command(
      "module <name> <call> <work-tree>",
      "Run an update module that is part of this program",
      (command) =>
        withoutVersion(command)
          .positional("name", { choices: ["rootfs-image"] as const, demandOption: true, describe: "Payload type" })
          .positional("call", { type: "string", demandOption: true, describe: "Call of the protocol, or state" })
          .positional("work-tree", { type: "string", demandOption: true, describe: "Directory of the payload" }),
      async (options) => {
        exitCode = await (await import("./module.ts")).runModule(options);
      },
    )
    .demandCommand(1, 1, "Which command?")
    .recommendCommands()
    .strict()
    .alias("help", "h")
    .detectLocale(false)
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new AgentError("usage", `${message} (see 'upkeep --help')`);
    });
}

async function main(): Promise<void> {
  // Until it is known: a program whose last promise never settles just ends.
  process.exitCode = EXIT.failure;
  try {
    await commandLine(process.argv.slice(2)).parseAsync();
  } catch (error) {
    writeError(`upkeep: ${explain(error)}\n`);
    exitCode = EXIT.failure;
  }
  process.exitCode = outputFailed() ? EXIT.failure : exitCode;
}

void main();
