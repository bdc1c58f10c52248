import { printable } from "@upkeep/shared/text";
import { type HeldDevice, withDevice } from "../compose/context.ts";
import { writeOutput } from "../system/terminal.ts";
import { type StandaloneResult, type StateName, stopsOf } from "../update/index.ts";
import { complain } from "./complain.ts";
import { loadContext } from "./context.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";

export interface StandaloneOptions extends Globals {
  /** Say by the exit code that a reboot is needed. */
  readonly rebootExitCode?: boolean | undefined;
  /** States before which to stop, as the reference client names them. */
  readonly stopBefore?: readonly string[] | undefined;
}

/** When a command that changes the installed software stops. */
export interface StopConditions {
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly stops: ReadonlySet<StateName>;
}

/** Runs one command that changes the installed software. It holds the device, and Ctrl-C stops it cleanly. */
export async function standalone(
  command: string,
  options: StandaloneOptions,
  action: (device: HeldDevice, conduct: StopConditions) => Promise<StandaloneResult>,
): Promise<ExitCode> {
  const stops = stopsOf(options.stopBefore ?? []);
  // What modules and state scripts say is logged as information.
  const context = await loadContext(options, { quiet: true, least: "info" });
  const stop = new AbortController();
  const unsubscribes = (["SIGINT", "SIGTERM"] as const).map((name) =>
    context.system.processes.onSignal(name, () => stop.abort()),
  );
  try {
    const result = await withDevice(context, command, (device) => action(device, { signal: stop.signal, stops }));
    return await tell(result, options);
  } finally {
    for (const unsubscribe of unsubscribes) unsubscribe();
  }
}

const DEVICE = {
  old: "The device runs what it ran before.",
  new: "The device runs the new artifact.",
  unknown: "The device may be in an inconsistent state.",
} as const;

/** Prints the result. */
async function tell(result: StandaloneResult, options: StandaloneOptions): Promise<ExitCode> {
  const rebootExitCode = options.rebootExitCode === true;
  const fail = (...lines: string[]): Promise<void> => complain(lines.map(printable).join("\n"), options);
  switch (result.kind) {
    case "awaiting-commit":
      writeOutput(`Installed ${printable(result.artifactName)}, but not committed.\n`);
      if (result.rebootNeeded) writeOutput("The update needs a reboot of the device.\n");
      writeOutput("Use 'upkeep commit' to keep it, or 'upkeep rollback' to go back.\n");
      return result.rebootNeeded && rebootExitCode ? EXIT.rebootNeeded : EXIT.ok;
    case "committed":
      writeOutput(`Committed ${printable(result.artifactName)}.\n`);
      if (result.rebootNeeded) writeOutput("The update needs a reboot of the device.\n");
      return result.rebootNeeded && rebootExitCode ? EXIT.rebootNeeded : EXIT.ok;
    case "stopped":
      if (result.failure !== undefined) await fail(result.failure.message);
      writeOutput(`The update to ${printable(result.artifactName)} is ${result.where}.\n`);
      if (result.rebootNeeded) writeOutput("The update needs a reboot of the device.\n");
      writeOutput("Use 'upkeep resume' to go on.\n");
      if (result.failure !== undefined) return EXIT.failure;
      return result.rebootNeeded && rebootExitCode ? EXIT.rebootNeeded : EXIT.ok;
    case "tidied":
      writeOutput(
        `Tidied up after the update to ${printable(result.artifactName)} that failed: ${printable(result.failure)}\n`,
      );
      writeOutput(`${DEVICE[result.device]}\n`);
      return EXIT.ok;
    case "rolled-back":
      writeOutput(`Rolled back ${printable(result.artifactName)}.\n`);
      return EXIT.ok;
    case "failed":
      await fail(result.failure.message, DEVICE[result.device]);
      return EXIT.failure;
    case "unfinished":
      await fail(
        result.failure.message,
        DEVICE[result.device],
        "The data directory cannot be written: make room there, then use 'upkeep resume'.",
      );
      return EXIT.failure;
    case "rollback-unsupported":
      await fail(
        `the update module of ${result.artifactName} cannot roll back; use 'upkeep commit' to keep the update`,
      );
      return EXIT.failure;
    case "wrong-state":
      await fail(
        `cannot ${result.wish} the update to ${result.artifactName}, which is ${result.where}; 'upkeep resume' goes on with it`,
      );
      return EXIT.failure;
    case "none-in-progress":
      await fail("no update is in progress");
      return EXIT.noneInProgress;
    case "interrupted":
      await fail(`stopped in the state ${result.state}; 'upkeep resume' goes on from there`);
      return EXIT.failure;
  }
}
