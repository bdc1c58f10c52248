import { isSystemError, type System } from "@upkeep/shared/system";
import { printableLines } from "@upkeep/shared/text";
import type { Argv } from "yargs";
import { absolutePath, setExitStatus, standardError, standardOutput } from "../../system/environment.ts";
import { listen } from "../../system/listen.ts";
import { parseListenAddress, urlOf } from "../addresses.ts";
import { parseDuration } from "../durations.ts";
import { CommandError } from "../failure.ts";
import { credentialsOf, MANAGEMENT_OPTIONS, parseServerUrl, SERVER_OPTIONS, tlsOptionsOf } from "../management.ts";
import { recordingIn } from "./recording-file.ts";

const GRACE_MS = 2000;

const one = { type: "string", requiresArg: true } as const;

const OPTIONS = {
  against: { ...one, describe: "Play the devices to the server with this URL, any that speaks the Mender protocol" },
  listen: { ...one, describe: "Play the server at HOST:PORT, to a device that is pointed there" },
  ...SERVER_OPTIONS,
  ...MANAGEMENT_OPTIONS,
  "tenant-token": { ...one, describe: "Tenant token, for servers that have tenants", default: "" },
  patience: {
    ...one,
    describe: "How long what is expected may take to come",
    defaultDescription: "with --against, nothing is waited for; with --listen 5m",
  },
  json: { type: "boolean", describe: "Write the outcome as JSON", default: false },
} as const;

const EPILOGUE = `A recording is made with \`upkeep-server serve --record FILE\`, and --record-artifacts for what is downloaded.
--against: each device gets a new key. With --user (password in UPKEEP_PASSWORD) or UPKEEP_TOKEN, devices are accepted,
artifacts uploaded, and deployments made and aborted as it must have been done in the recorded session; else
the server's own people do that, within --patience.
--listen: how often a device polls or sends its inventory is up to it; what it reports and downloads must come in the
recorded order. The artifacts must stand beside the recording, in FILE.artifacts.
The exit status is 1 if there is a difference; the first one is told.`;

type Args = Readonly<Record<string, unknown>>;

/** The result of a replay. */
interface Outcome {
  readonly exchanges: number;
  readonly devices: number;
  readonly difference: import("../../scenarios/recording/difference.ts").Difference | undefined;
}

function patienceOf(args: Args, usual: number): number {
  return typeof args.patience === "string" ? parseDuration("patience", args.patience) : usual;
}

async function playDevices(system: System, path: string, server: string, args: Args): Promise<Outcome> {
  const recording = await recordingIn(system, path);
  const { DeviceReplay } = await import("../../scenarios/recording/device-replay.ts");
  const { ManagementClient, ManagementError } = await import("../../scenarios/management/client.ts");
  const { ApiOperators } = await import("../../scenarios/recording/api-operators.ts");
  const { artifactsBeside } = await import("../../scenarios/recording/format.ts");
  const tls = await tlsOptionsOf(system, args);
  const credentials = await credentialsOf(system, args);
  try {
    const client =
      credentials === undefined ? undefined : await ManagementClient.open(system.network, server, credentials, tls);
    const operators =
      client === undefined ? undefined : new ApiOperators(client, system.files, artifactsBeside(absolutePath(path)));
    const tenantToken = typeof args["tenant-token"] === "string" ? args["tenant-token"] : "";
    const options = { server, tls, operators, patienceMs: patienceOf(args, 0), tenantToken };
    return await new DeviceReplay(system, recording, options).play();
  } catch (error) {
    if (error instanceof ManagementError) throw new CommandError(error.message);
    if (isSystemError(error)) throw new CommandError(`--against ${server}: ${error.message}`);
    throw error;
  }
}

async function playServer(system: System, path: string, where: string, args: Args): Promise<Outcome> {
  const address = parseListenAddress(where);
  const recording = await recordingIn(system, path);
  const { artifactsBeside } = await import("../../scenarios/recording/format.ts");
  const { artifactsOf, ServerReplay } = await import("../../scenarios/recording/server-replay.ts");
  const kept = artifactsBeside(absolutePath(path));
  for (const sha256 of artifactsOf(recording)) {
    if ((await system.files.status(`${kept}/${sha256}`)) === undefined) {
      throw new CommandError(
        `${path}: the artifact with the SHA-256 ${sha256} is not in ${path}.artifacts; record it with --record-artifacts`,
      );
    }
  }
  let url = "";
  const side = new ServerReplay(system, recording, {
    origin: () => url,
    artifactPath: (sha256) => `${kept}/${sha256}`,
    patienceMs: patienceOf(args, 300_000),
  });
  try {
    const listening = await listen(side.listener, address);
    url = urlOf("http", { host: address.host, port: listening.port });
    standardOutput.write(
      args.json === true ? `${JSON.stringify({ url })}\n` : `Playing the server of ${path}: ${url}\n`,
    );
    const difference = await side.ended;
    await listening.close(GRACE_MS);
    return { exchanges: side.exchanges, devices: side.devices, difference };
  } catch (error) {
    if (isSystemError(error)) throw new CommandError(`--listen ${where}: ${error.message}`);
    throw error;
  }
}

/** `scenario replay` */
export function addReplayCommand(argv: Argv, system: System): Argv {
  return argv.command(
    "replay <file>",
    "Play one side of a recording, and tell the first difference",
    (builder) => builder.positional("file", { type: "string", demandOption: true }).options(OPTIONS).epilogue(EPILOGUE),
    async (args: Args) => {
      const path = String(args.file);
      const { against, listen: where } = args;
      if ((typeof against === "string") === (typeof where === "string")) {
        throw new CommandError(
          "say which side is to be played: the devices' --against URL, or the server's --listen HOST:PORT",
        );
      }
      const outcome =
        typeof against === "string"
          ? await playDevices(system, path, parseServerUrl("against", against), args)
          : await playServer(system, path, String(where), args);
      await tell(outcome, path, args.json === true);
    },
  );
}

async function tell({ exchanges, devices, difference }: Outcome, path: string, json: boolean): Promise<void> {
  const { describeDifference } = await import("../../scenarios/recording/difference.ts");
  if (json) standardOutput.write(`${JSON.stringify({ exchanges, devices, difference: difference ?? null })}\n`);
  else if (difference === undefined)
    standardOutput.write(`no difference: ${exchanges} exchanges of ${devices} device(s)\n`);
  if (difference !== undefined && !json)
    standardError.write(`${printableLines(describeDifference(difference, path))}\n`);
  setExitStatus(difference === undefined ? 0 : 1);
}
