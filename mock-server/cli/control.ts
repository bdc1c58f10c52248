import { type HttpMethod, readTextFile, type System } from "@upkeep/shared/system";
import type { Argv, CommandModule } from "yargs";
import { absolutePath, standardOutput } from "../system/environment.ts";
import type { CommandBody } from "./commands.ts";
import { ControlClient } from "./control/client.ts";
import { faultCommands } from "./control/faults.ts";
import { linesOf } from "./control/lines.ts";
import { CommandError } from "./failure.ts";

const CERTIFICATE_BYTES_MAX = 1024 * 1024;

/** The request of a command. */
export interface ControlRequest {
  readonly method: HttpMethod;
  /** Relative to the API's path. */
  readonly path: string;
  readonly body?: unknown;
}

export type Arguments = Readonly<Record<string, unknown>>;

/** Makes a yargs command that sends one request. */
export type Ask = (
  command: string,
  describe: string,
  request: (args: Arguments) => ControlRequest,
  builder?: (yargs: Argv) => Argv,
) => CommandModule;

const EPILOGUE = `The server must have been started with serve --test-controls. Everything that the commands do can
be asked of it as JSON as well: /api/docs of that server shows it, below /api/test/v1.`;

function asker({ network, files }: System): Ask {
  return (command, describe, request, builder = (yargs) => yargs) => ({
    command,
    describe,
    builder,
    handler: async (args) => {
      const ca = typeof args.ca === "string" ? absolutePath(args.ca) : undefined;
      const trusted = ca === undefined ? undefined : await readTextFile(files, ca, CERTIFICATE_BYTES_MAX);
      if (ca !== undefined && trusted === undefined) throw new CommandError(`--ca ${ca}: there is no such file`);
      const { method, path, body } = request(args);
      const answer = await new ControlClient(network, serverOf(args.server), trusted).call(method, path, body);
      const text = args.json === true ? JSON.stringify(answer ?? {}) : linesOf(answer);
      if (text !== "") standardOutput.write(`${text}\n`);
    },
  });
}

function serverOf(value: unknown): string {
  const text = String(value);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new CommandError(`--server ${JSON.stringify(text)}: must be a URL such as http://127.0.0.1:8080`);
  }
  return (url.origin + url.pathname).replace(/\/+$/, "");
}

function group(command: string, describe: string, commands: readonly CommandModule[]): CommandModule {
  return {
    command: `${command} COMMAND`,
    describe,
    builder: (yargs) => yargs.command([...commands]).demandCommand(1, `Say what to do: one of the commands above.`),
    handler: () => undefined,
  };
}

const path = (...segments: readonly unknown[]): string =>
  segments.map((segment) => `/${encodeURIComponent(String(segment))}`).join("");

function clockCommands(ask: Ask): CommandModule[] {
  return [
    ask("show", "What it shows", () => ({ method: "GET", path: "/clock" })),
    ask("freeze", "Stop it, and every timer", () => ({ method: "POST", path: "/clock/freeze" })),
    ask("run", "Let it go on from where it stands", () => ({ method: "POST", path: "/clock/run" })),
    ask("reset", "Let it show the real time", () => ({ method: "POST", path: "/clock/reset" })),
    ask("advance DURATION", "Let time pass at once, such as 90s, 15m, 2h or 7d", ({ DURATION }) => ({
      method: "POST",
      path: "/clock/advance",
      body: { by: String(DURATION) },
    })),
    ask("set INSTANT", "Set it, such as 2026-03-01T11:00:00Z; no time passes", ({ INSTANT }) => ({
      method: "PUT",
      path: "/clock",
      body: { now: String(INSTANT) },
    })),
  ];
}

function snapshotCommands(ask: Ask): CommandModule[] {
  return [
    ask("list", "Names of those that there are", () => ({ method: "GET", path: "/snapshots" })),
    ask("take NAME", "Remember all records and artifacts as they are now", ({ NAME }) => ({
      method: "PUT",
      path: path("snapshots", NAME),
    })),
    ask("restore NAME", "Make all records and artifacts as they were then", ({ NAME }) => ({
      method: "POST",
      path: path("snapshots", NAME, "restore"),
    })),
    ask("drop NAME", "Forget one", ({ NAME }) => ({ method: "DELETE", path: path("snapshots", NAME) })),
  ];
}

function requestCommand(ask: Ask): CommandModule {
  return ask(
    "requests",
    "What devices asked, in their order",
    ({ device, kind, after }) => {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries({ device, kind, after })) {
        if (value !== undefined) query.set(name, String(value));
      }
      return { method: "GET", path: `/requests?${query}` };
    },
    (yargs) =>
      yargs.options({
        device: { type: "string", describe: "Of this device: its id, or a value of its identity", requiresArg: true },
        kind: { type: "string", describe: "poll, status, log, inventory, auth, download …", requiresArg: true },
        after: { type: "number", describe: "Behind the request of this number", requiresArg: true },
      }),
  );
}

/** `upkeep-server control` */
export function controlCommand(system: System): CommandBody {
  const ask = asker(system);
  return {
    builder: (yargs) =>
      yargs
        .options({
          server: { type: "string", describe: "The server", default: "http://127.0.0.1:8080", requiresArg: true },
          ca: { type: "string", describe: "PEM file with a certificate to trust", requiresArg: true },
          json: { type: "boolean", describe: "Write the server's answer as JSON", default: false },
        })
        .command(group("faults", "Faults of the server's answers and downloads", faultCommands(ask)))
        .command(group("clock", "The server's clock", clockCommands(ask)))
        .command(group("snapshot", "Records and artifacts as they were", snapshotCommands(ask)))
        .command(
          group("tokens", "Tokens of devices", [
            ask("expire [DEVICE]", "Let them end: of one device, or of all", ({ DEVICE }) => ({
              method: "POST",
              path: "/tokens/expire",
              body: DEVICE === undefined ? {} : { device: String(DEVICE) },
            })),
          ]),
        )
        .command(
          ask("accept", "Accept every device that waits for it", () => ({ method: "POST", path: "/devices/accept" })),
        )
        .command(requestCommand(ask))
        .command(
          ask("reset", "Make everything as it was when the server started", () => ({ method: "POST", path: "/reset" })),
        )
        .demandCommand(1, "Say what to do: one of the commands above.")
        .epilogue(EPILOGUE),
    handler: () => undefined,
  };
}
