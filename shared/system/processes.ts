export type SignalName = "SIGTERM" | "SIGKILL" | "SIGINT" | "SIGQUIT" | "SIGUSR1" | "SIGUSR2" | "SIGHUP";

export interface ProcessSpec {
  /** Absolute path, or a name to be found in PATH. */
  readonly command: string;
  readonly args: readonly string[];
  readonly directory?: string;
  /** Added to (or replacing entries of) this process's own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with each piece of standard output as it arrives. Output is dropped when absent. */
  readonly onStdout?: (data: Uint8Array) => void;
  /** Called with each piece of standard error as it arrives. */
  readonly onStderr?: (data: Uint8Array) => void;
}

/** How a process ended: with an exit code, or by a signal. */
export type ProcessExit = { readonly code: number } | { readonly signal: string };

export interface RunningProcess {
  readonly pid: number;
  /** Resolves when the process has ended and its output has been delivered. Never rejects. */
  readonly exit: Promise<ProcessExit>;
  /** Send a signal to the process and its whole group. Harmless when it has ended. */
  signal(name: SignalName): void;
}

export interface Processes {
  /**
   * Start a program in a process group of its own, its standard input empty.
   * Rejects with ENOENT (no such program), EACCES (not executable), … .
   */
  start(spec: ProcessSpec): Promise<RunningProcess>;
  /** Call `action` on each `name` signal sent to this program. Returns a function that stops it. */
  onSignal(name: SignalName, action: () => void): () => void;
}
