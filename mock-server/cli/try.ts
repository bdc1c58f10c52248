import { createLogger } from "@upkeep/shared/logging";
import type { SignalName, System } from "@upkeep/shared/system";
import { absolutePath, exitNow, setExitStatus, standardError, standardOutput } from "../system/environment.ts";
import { agentCommand, thisProgram } from "../system/programs.ts";
import { openTether } from "../system/tether.ts";
import type { CommandBody } from "./commands.ts";
import { CommandError } from "./failure.ts";
import type { ServeSettings } from "./serve/options.ts";
import { type Serving, startServing } from "./serve.ts";
import type { Stage } from "./try/follow.ts";
import { tellStory } from "./try/story.ts";

const ENDING: readonly SignalName[] = ["SIGINT", "SIGTERM", "SIGHUP"];
/** npm passes Ctrl-C on to programs that have had it from the terminal: so soon, it is not a person's second one. */
const REPEATED_MS = 1000;

const OPTIONS = {
  agent: { type: "string", requiresArg: true, describe: "The agent's program; found beside this one, or in PATH" },
} as const;

const EPILOGUE = `Everything is in a temporary directory and on a free port of 127.0.0.1. Ctrl-C ends all programs and removes
all files; so does every other end of this program, SIGKILL included.`;

const DAY_MS = 24 * 60 * 60 * 1000;
const SERVER: Omit<ServeSettings, "dataDirectory"> = {
  listen: { host: "127.0.0.1", port: 0 },
  autoAccept: false,
  insecureNoAuth: false,
  console: true,
  deviceTokenLifeMs: 7 * DAY_MS,
  downloadLinkLifeMs: DAY_MS,
};

/** A signal of this process asked everything to end. */
class Asked extends Error {
  override readonly name = "Asked";
}

/** Aborted by the first signal that asks the program to end; a later one ends it at once. */
function askedToEnd({ processes, clock }: System): AbortSignal {
  const controller = new AbortController();
  let firstMs: number | undefined;
  for (const name of ENDING) {
    processes.onSignal(name, () => {
      firstMs ??= clock.monotonic();
      if (controller.signal.aborted && clock.monotonic() - firstMs > REPEATED_MS) exitNow(1);
      controller.abort(new Asked(name));
    });
  }
  return controller.signal;
}

async function agentOf(option: unknown): Promise<Stage["agent"]> {
  const [interpreter, file] = thisProgram();
  if (typeof option === "string") return [interpreter, absolutePath(option)];
  const found = agentCommand(file);
  if (found !== undefined) return found;
  throw new CommandError(
    "the devices need the agent, the npm package upkeep, which is neither beside this program nor in PATH. Both together:\n" +
      "  npx --package upkeep --package upkeep-server upkeep-server try",
  );
}

/** Resolves when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** `upkeep-server try`: a server and four devices to look at, until Ctrl-C. */
export function tryCommand(system: System): CommandBody {
  return {
    builder: (yargs) => yargs.options(OPTIONS).epilogue(EPILOGUE),
    handler: async (args) => {
      const signal = askedToEnd(system);
      const agent = await agentOf(args.agent);
      const tether = await openTether("upkeep-try");
      let serving: Serving | undefined;
      try {
        const logger = createLogger({
          level: "warning",
          format: "brief",
          colours: standardError.colours ?? false,
          write: standardError.write,
          now: () => system.clock.now(),
        });
        serving = await startServing(system, { ...SERVER, dataDirectory: `${tether.directory}/server` }, logger);
        const { email = "", password = "" } = serving.administrator ?? {};
        const server = { url: serving.url, email, password };
        await tellStory({ system, tether, agent, server, out: standardOutput, signal });
        await aborted(signal);
      } catch (error) {
        // A request that was cut off by the end is no failure either.
        if (!signal.aborted) throw error;
      } finally {
        await serving?.stop(0);
        await tether.cut();
      }
      standardOutput.write("\nEnded; nothing is left.\n");
      setExitStatus(0);
    },
  };
}
