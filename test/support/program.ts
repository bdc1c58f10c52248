import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** A program that a test started, with everything that it wrote. */
export interface Program {
  readonly child: ChildProcess;
  /** Standard output and standard error so far, in the order in which they came. */
  output(): string;
  stdout(): string;
  /** Resolves when the program has ended: exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  /** Ask it to end, and wait until it has. */
  stop(signal?: NodeJS.Signals): Promise<number | string>;
}

export function startProgram(
  command: string,
  args: readonly string[],
  options: { directory?: string; environment?: Readonly<Record<string, string>> } = {},
): Program {
  const child = spawn(command, args, {
    cwd: options.directory,
    env: { ...process.env, NO_COLOR: "1", ...options.environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const everything: string[] = [];
  const out: string[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    everything.push(text);
    out.push(text);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    everything.push(text);
  });
  const ended = once(child, "close").then(([code, signal]) => (signal as string | null) ?? (code as number));
  ended.catch(() => undefined);
  return {
    child,
    output: () => everything.join(""),
    stdout: () => out.join(""),
    ended,
    stop: (signal = "SIGTERM") => {
      child.kill(signal);
      return ended;
    },
  };
}
