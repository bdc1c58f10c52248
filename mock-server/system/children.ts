import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { throughDoor } from "./faults.ts";

export interface ChildSpec {
  readonly command: string;
  readonly args: readonly string[];
  /** Added to this process's own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with each line of standard output. */
  readonly onOutput?: (line: string) => void;
  /** Called with each line of standard error. */
  readonly onError?: (line: string) => void;
}

/** A program that was started for a scenario. */
export interface Child {
  readonly pid: number;
  /** Resolves when it has ended, with how: `code 0`, `SIGKILL`. Never rejects. */
  readonly ended: Promise<string>;
  /** Send a signal to the program alone. Harmless when it has ended. */
  signal(name: NodeJS.Signals): void;
  /** End it at once, with everything that it has started: what happens to a machine without power. */
  killAll(): void;
}

/** @throws SystemError if it cannot be started. */
export async function startChild({ command, args, environment, onOutput, onError }: ChildSpec): Promise<Child> {
  const child = spawn(command, args, {
    env: { ...process.env, NO_COLOR: "1", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    // Ctrl-C in a terminal ends the runner, which then ends its programs.
    detached: true,
  });
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `code ${code}`));
  });
  await throughDoor(
    new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    }),
  );
  child.on("error", () => undefined);
  createInterface(child.stdout).on("line", (line) => onOutput?.(line));
  createInterface(child.stderr).on("line", (line) => onError?.(line));
  const { pid = 0 } = child;
  return {
    pid,
    ended,
    signal: (name) => void child.kill(name),
    killAll: () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const others = descendantsOf(pid);
      child.kill("SIGKILL");
      for (const other of others) kill(other);
    },
  };
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It has ended meanwhile.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Everything that a process has started, and what these have. */
function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    if (parent !== undefined) parents.set(Number(name), parent);
  }
  const found = [pid];
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.push(child);
  return found.slice(1);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may have anything in it.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH"))
      return undefined;
    throw error;
  }
}
