import { isSystemError, type ProcessExit, type RunningProcess, type System } from "@upkeep/shared/system";
import { AgentError } from "../../errors.ts";

/** Limit of a tool's output: a list of variables, or an error message. */
const OUTPUT_BYTES_MAX = 1024 * 1024;

export interface CommandResult {
  readonly exit: ProcessExit;
  readonly stdout: string;
  /** On one line, for messages. */
  readonly complaint: string;
}

function collector(): { add: (data: Uint8Array) => void; text: () => string } {
  const chunks: Uint8Array[] = [];
  let total = 0;
  return {
    add: (data) => {
      total += data.length;
      if (total <= OUTPUT_BYTES_MAX) chunks.push(data);
    },
    text: () => Buffer.concat(chunks).toString("utf8"),
  };
}

/**
 * Run a tool to its end. It has a process group of its own, so a signal to this program is passed on to it.
 * @returns `undefined` if there is no such tool.
 */
export async function tryCommand(
  system: Pick<System, "processes">,
  command: string,
  args: readonly string[],
): Promise<CommandResult | undefined> {
  const out = collector();
  const complaints = collector();
  let running: RunningProcess | undefined;
  let stopped = false;
  const forget = system.processes.onSignal("SIGTERM", () => {
    stopped = true;
    running?.signal("SIGTERM");
  });
  try {
    running = await system.processes.start({ command, args, onStdout: out.add, onStderr: complaints.add });
    if (stopped) running.signal("SIGTERM");
    const exit = await running.exit;
    return {
      exit,
      stdout: out.text(),
      complaint: complaints
        .text()
        .trim()
        .replaceAll(/\s*\n\s*/g, "; "),
    };
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  } finally {
    forget();
  }
}

export function succeeded({ exit }: CommandResult): boolean {
  return "code" in exit && exit.code === 0;
}

/** `fw_setenv failed with exit code 1: …`. */
export function describeFailure(command: string, { exit, complaint }: CommandResult): string {
  const how = "code" in exit ? `failed with exit code ${exit.code}` : `was ended by ${exit.signal}`;
  return `${command} ${how}${complaint === "" ? "" : `: ${complaint}`}`;
}

/**
 * Run a tool that must exist and succeed. @returns Its standard output.
 * @throws AgentError `tool-missing` or `tool-failed`.
 */
export async function demandCommand(
  system: Pick<System, "processes">,
  command: string,
  args: readonly string[],
): Promise<string> {
  const result = await tryCommand(system, command, args);
  if (result === undefined) throw new AgentError("tool-missing", `${command} is not installed`);
  if (!succeeded(result)) throw new AgentError("tool-failed", describeFailure(command, result));
  return result.stdout;
}
