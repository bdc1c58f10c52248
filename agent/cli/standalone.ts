import { writeError, writeOutput } from "../system/terminal.ts";
import type { StandaloneResult } from "../update/index.ts";
import { type Agent, loadBase, withAgent } from "./agent.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";

export interface StandaloneOptions extends Globals {
  /** Say by the exit code that a reboot is needed. */
  readonly rebootExitCode?: boolean | undefined;
}

/** Runs one command that changes what is installed: nobody else may do so meanwhile, and Ctrl-C stops it cleanly. */
export async function standalone(
  command: string,
  options: StandaloneOptions,
  action: (agent: Agent, signal: AbortSignal) => Promise<StandaloneResult>,
): Promise<ExitCode> {
  const base = await loadBase(options, { quiet: true });
  const stop = new AbortController();
  const deaf = (["SIGINT", "SIGTERM"] as const).map((name) => base.system.processes.onSignal(name, () => stop.abort()));
  try {
    const result = await withAgent(base, command, (agent) => action(agent, stop.signal));
    return tell(result, options.rebootExitCode === true);
  } finally {
    for (const end of deaf) end();
  }
}

const DEVICE = {
  old: "The device runs what it ran before.",
  new: "The device runs the new artifact.",
  unknown: "The device may be in an inconsistent state.",
} as const;

/** Says what came of it. */
function tell(result: StandaloneResult, rebootExitCode: boolean): ExitCode {
  switch (result.kind) {
    case "awaiting-commit":
      writeOutput(`Installed ${result.artifactName}, but not committed.\n`);
      if (result.rebootNeeded) writeOutput("The update needs a reboot of the device.\n");
      writeOutput("Use 'upkeep commit' to keep it, or 'upkeep rollback' to go back.\n");
      return result.rebootNeeded && rebootExitCode ? EXIT.rebootNeeded : EXIT.ok;
    case "committed":
      writeOutput(`Committed ${result.artifactName}.\n`);
      if (result.rebootNeeded) writeOutput("The update needs a reboot of the device.\n");
      return result.rebootNeeded && rebootExitCode ? EXIT.rebootNeeded : EXIT.ok;
    case "rolled-back":
      writeOutput(`Rolled back ${result.artifactName}.\n`);
      return EXIT.ok;
    case "failed":
      writeError(`upkeep: ${result.failure.message}\n${DEVICE[result.device]}\n`);
      return EXIT.failure;
    case "rollback-unsupported":
      writeError(
        `upkeep: the update module of ${result.artifactName} cannot roll back; use 'upkeep commit' to keep the update\n`,
      );
      return EXIT.failure;
    case "none-in-progress":
      writeError("upkeep: no update is in progress\n");
      return EXIT.noneInProgress;
    case "interrupted":
      writeError(`upkeep: stopped in the state ${result.state}; 'upkeep rollback' goes back to what ran before\n`);
      return EXIT.failure;
  }
}
