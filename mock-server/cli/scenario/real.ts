import { isSystemError, type System } from "@upkeep/shared/system";
import type { RunResult } from "../../scenarios/index.ts";
import { absolutePath } from "../../system/environment.ts";
import { agentBeside, temporaryDirectory, thisProgram } from "../../system/programs.ts";
import { parseListenAddress } from "../addresses.ts";
import { CommandError } from "../failure.ts";
import { artifactReader, type LoadedScenario } from "./files.ts";

export interface RealFlags {
  readonly real: boolean;
  readonly agent: string | undefined;
  readonly attach: string | undefined;
  readonly "payload-type": string;
  readonly listen: string;
  readonly keep: boolean;
}

/** Options for runs in real time. */
export const REAL_OPTIONS = {
  real: {
    type: "boolean",
    default: false,
    describe: "With processes of a server and of agents, real connections and real kills; not in virtual time",
  },
  agent: { type: "string", requiresArg: true, describe: "The agent's program for --real; found beside this one" },
  attach: {
    type: "string",
    requiresArg: true,
    describe:
      "With a device on the desk: its id, a value of its identity, or next (the first one that asks). It polls this server (--listen), " +
      "has the device type of the scenario's fleet (board if it names none) and an update module for --payload-type",
  },
  "payload-type": {
    type: "string",
    requiresArg: true,
    default: "single-file",
    describe: "Payload type of the artifacts for --attach; another one than single-file gets one file, called payload",
  },
  listen: {
    type: "string",
    requiresArg: true,
    default: "127.0.0.1:8080",
    describe: "Where the attached device finds its server, as HOST:PORT",
  },
  keep: { type: "boolean", default: false, describe: "Keep the files of devices and server, and say where they are" },
} as const;

/** Times that the removal of a directory is tried: programs that were killed may still write into it. */
const REMOVALS = 5;
const REMOVAL_PAUSE_MS = 200;

async function removed({ files, timers }: System, directory: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await files.remove(directory);
      return;
    } catch (error) {
      if (tries === REMOVALS || !isSystemError(error, "ENOTEMPTY")) throw error;
      await timers.sleep(REMOVAL_PAUSE_MS);
    }
  }
}

/**
 * @returns How to run a scenario as the flags want it; `undefined`: in virtual time.
 * @throws CommandError if they do not go together.
 */
export function realRunner(
  system: System,
  flags: RealFlags,
  say: (line: string) => void,
  signal: AbortSignal,
): ((loaded: LoadedScenario) => Promise<RunResult>) | undefined {
  if (flags.real && flags.attach !== undefined) throw new CommandError("--real and --attach exclude each other");
  if (!flags.real && flags.attach === undefined) return undefined;
  const [interpreter, file] = thisProgram();
  const agent = flags.agent === undefined ? agentBeside(file) : absolutePath(flags.agent);
  if (flags.real && agent === undefined)
    throw new CommandError("--real: the agent's program is not there: --agent PATH");
  const address = parseListenAddress(flags.listen);
  return async (loaded) => {
    const { runReal, runAttached } = await import("../../scenarios/real/index.ts");
    const directory = temporaryDirectory("upkeep-scenario-");
    const beganMs = system.clock.monotonic();
    try {
      const common = {
        system,
        readArtifact: artifactReader(system.files, loaded.file),
        server: [interpreter, file] as const,
        directory,
        signal,
      };
      const { attach } = flags;
      const result =
        attach === undefined
          ? await runReal(loaded.scenario, { ...common, interpreter, agent: [interpreter, agent ?? ""] })
          : await runAttached(loaded.scenario, { ...common, payloadType: flags["payload-type"], attach, address, say });
      return { ...result, file: loaded.file, tookMs: system.clock.monotonic() - beganMs };
    } finally {
      if (flags.keep) say(`${loaded.file}: everything is in ${directory}`);
      else await removed(system, directory);
    }
  };
}
