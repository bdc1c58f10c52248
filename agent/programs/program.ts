import { given } from "@upkeep/shared/given";
import type { System } from "@upkeep/shared/system";
import { OUTPUT_LIMITS, OutputLines } from "./output-lines.ts";

export interface ProgramSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly directory?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** The program is ended after this time. */
  readonly timeoutMs: number;
  /** From SIGTERM to SIGKILL, and from SIGKILL to giving up on the process. */
  readonly killGraceMs: number;
  /** Each line of its standard error, and of its standard output unless that is kept. */
  readonly onLine: (line: string) => void;
  /** Keep at most this many bytes of standard output as the program's answer. */
  readonly answerBytesMax?: number;
  /** Ends the program when aborted. */
  readonly signal?: AbortSignal;
}

/** How a program ended. `stuck`: not even SIGKILL ended it in time. */
export type ProgramEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "killed"; readonly signal: string }
  | { readonly kind: "timed-out" | "stopped" | "stuck" };

export interface Program {
  /** Never rejects. */
  readonly ended: Promise<ProgramEnd>;
  /** The kept standard output, complete once the program has ended. */
  answer(): string;
  answerBytes(): Buffer;
  /** End it: SIGTERM to its process group, then SIGKILL. */
  stop(): void;
}

export type ProgramSystem = Pick<System, "processes" | "timers">;

/** Start a program with a deadline, in a process group of its own that is ended as a whole. Rejects if it cannot start. */
export async function startProgram(system: ProgramSystem, spec: ProgramSpec): Promise<Program> {
  const { timers } = system;
  const { killGraceMs, signal } = spec;
  signal?.throwIfAborted();
  const budget = { left: OUTPUT_LIMITS.totalCharactersMax as number };
  const out = new OutputLines(spec.onLine, budget);
  const err = new OutputLines(spec.onLine, budget);
  const kept: Uint8Array[] = [];
  let room = spec.answerBytesMax ?? 0;
  const keep = (data: Uint8Array): void => {
    if (room > 0) kept.push(data.subarray(0, room));
    room -= data.length;
  };

  const running = await system.processes.start({
    command: spec.command,
    args: spec.args,
    ...given({ directory: spec.directory, environment: spec.environment }),
    onStdout: spec.answerBytesMax === undefined ? (data) => out.write(data) : keep,
    onStderr: (data) => err.write(data),
  });

  let why: "timed-out" | "stopped" | undefined;
  let giveUp: () => void = () => undefined;
  const stuck = new Promise<undefined>((resolve) => {
    giveUp = () => resolve(undefined);
  });
  const end = (reason: "timed-out" | "stopped"): void => {
    if (why !== undefined) return;
    why = reason;
    running.signal("SIGTERM");
    timer.cancel();
    timer = timers.after(killGraceMs, () => {
      running.signal("SIGKILL");
      timer = timers.after(killGraceMs, giveUp);
    });
  };
  let timer = timers.after(spec.timeoutMs, () => end("timed-out"));
  const stop = (): void => end("stopped");
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted) stop();

  const ended = Promise.race([running.exit, stuck]).then((exit): ProgramEnd => {
    timer.cancel();
    signal?.removeEventListener("abort", stop);
    // A child of the program may ignore SIGTERM although the program itself obeys it.
    if (why !== undefined) running.signal("SIGKILL");
    out.end();
    err.end();
    if (exit === undefined) return { kind: "stuck" };
    if (why !== undefined) return { kind: why };
    return "code" in exit ? { kind: "exited", code: exit.code } : { kind: "killed", signal: exit.signal };
  });
  const answerBytes = (): Buffer => Buffer.concat(kept);
  return { ended, answer: () => new TextDecoder().decode(answerBytes()), answerBytes, stop };
}

/** Describes how a program ended; to be read after its name. */
export function describeEnd(end: ProgramEnd, timeoutMs: number): string {
  switch (end.kind) {
    case "exited":
      return `exited with code ${end.code}`;
    case "killed":
      return `was ended by ${end.signal}`;
    case "timed-out":
      return `did not end within ${timeoutMs / 1000} s and was killed`;
    case "stopped":
      return "was stopped";
    case "stuck":
      return "could not be killed";
  }
}
