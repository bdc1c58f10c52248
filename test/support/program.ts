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
  options: {
    directory?: string;
    environment?: Readonly<Record<string, string>>;
    /** Leave standard input open: `child.stdin`. */
    input?: boolean;
  } = {},
): Program {
  const child = spawn(command, args, {
    cwd: options.directory,
    env: { ...process.env, NO_COLOR: "1", ...options.environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  if (options.input !== true) child.stdin.end();
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

/** A program that is started again whenever it ends, as a service manager does it. */
export class KeptRunning {
  readonly #start: () => Program;
  #program: Program;
  #stopping = false;
  readonly #past: Program[] = [];

  constructor(start: () => Program) {
    this.#start = start;
    this.#program = start();
    this.#restartWhenEnded();
  }

  /** How often it has ended and was started again. */
  get restarts(): number {
    return this.#past.length;
  }

  /** What all of them have written. */
  output(): string {
    return [...this.#past, this.#program].map((program) => program.output()).join("--- started again ---\n");
  }

  /** End the one that runs now; resolves when it has ended. */
  kill(): Promise<unknown> {
    return this.#program.stop("SIGKILL");
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.kill();
  }

  #restartWhenEnded(): void {
    void this.#program.ended.then(() => {
      if (this.#stopping) return;
      this.#past.push(this.#program);
      this.#program = this.#start();
      this.#restartWhenEnded();
    });
  }
}
