import type { System } from "@upkeep/shared/system";
import type { CommandModule } from "yargs";

/** What a command's own file has: its name and its description are in the table. */
export type CommandBody = Pick<CommandModule, "builder" | "handler">;

interface Command {
  readonly describe: string;
  readonly load: () => Promise<(system: System) => CommandBody>;
}

/** All commands. A command's file, and the packages that it needs, are loaded when it is called. */
const COMMANDS: Readonly<Record<string, Command>> = {
  serve: { describe: "Run the server", load: async () => (await import("./serve.ts")).serveCommand },
  try: {
    describe: "Look at it: a server with its page and four devices, two releases, an update that fails; until Ctrl-C",
    load: async () => (await import("./try.ts")).tryCommand,
  },
  control: {
    describe: "Make a running server misbehave, move its clock, reset it (serve --test-controls)",
    load: async () => (await import("./control.ts")).controlCommand,
  },
  backup: {
    describe: "Copy everything that a server keeps, also while it runs",
    load: async () => (await import("./backup.ts")).backupCommand,
  },
  restore: {
    describe: "Make a data directory of a backup",
    load: async () => (await import("./restore.ts")).restoreCommand,
  },
  move: {
    describe: "Move a server's records to PostgreSQL or back, its artifacts to a bucket or back",
    load: async () => (await import("./move.ts")).moveCommand,
  },
  user: {
    describe: "List, add, change and remove users on the server's own machine",
    load: async () => (await import("./user.ts")).userCommand,
  },
  artifact: {
    describe: "Write, read, validate, sign, change and dump artifacts",
    load: async () => (await import("./artifact.ts")).artifactCommand,
  },
  scenario: {
    describe: "Run scenarios: what happens to a fleet in the field, from a short file",
    load: async () => (await import("./scenario.ts")).scenarioCommand,
  },
  fleet: {
    describe: "Run virtual devices against a server",
    load: async () => (await import("./fleet.ts")).fleetCommand,
  },
};

/** The commands as yargs takes them. */
export function lazyCommands(openSystem: () => Promise<System>): CommandModule[] {
  return Object.entries(COMMANDS).map(([command, { describe, load }]) => {
    let loaded: Promise<CommandBody> | undefined;
    const body = (): Promise<CommandBody> => {
      loaded ??= Promise.all([load(), openSystem()]).then(([build, system]) => build(system));
      return loaded;
    };
    return {
      command,
      describe,
      builder: async (yargs) => {
        const { builder } = await body();
        return typeof builder === "function" ? builder(yargs) : yargs.options(builder ?? {});
      },
      handler: async (args) => (await body()).handler(args),
    };
  });
}
