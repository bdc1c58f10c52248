import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { given } from "@upkeep/shared/given";
import {
  isSystemError,
  type ProcessExit,
  type Processes,
  type ProcessSpec,
  type RunningProcess,
  type SignalName,
  SystemError,
} from "@upkeep/shared/system";
import { asSystemError } from "./errors.ts";
import { FIRST_LINE_BYTES_MAX, interpreterIn, missingInterpreter } from "./interpreter.ts";

/**
 * How long to read output after the process has ended. Its own output is available at once; more comes only from a child
 * process that still has the pipe open, and that is not waited for.
 */
const LEFT_BEHIND_MS = 250;

function groupSignal(pid: number, name: SignalName): void {
  try {
    process.kill(-pid, name);
  } catch (error) {
    // ESRCH: all processes of the group have ended.
    if (!isSystemError(asSystemError(error), "ESRCH")) throw asSystemError(error);
  }
}

/** Stop reading a pipe that other processes still have open, without breaking it for them. */
function letGo(pipe: Readable | null): void {
  if (pipe === null) return;
  pipe.removeAllListeners("data");
  pipe.resume();
  (pipe as Socket).unref();
}

function exitOf(child: ChildProcess): Promise<ProcessExit> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      const exit: ProcessExit = signal === null ? { code: code ?? 0 } : { signal };
      const lastly = setTimeout(() => {
        letGo(child.stdout);
        letGo(child.stderr);
        resolve(exit);
      }, LEFT_BEHIND_MS);
      child.once("close", () => {
        clearTimeout(lastly);
        resolve(exit);
      });
    });
  });
}

/** The kernel says ENOENT of a script that is there too, if its interpreter is not. */
function explainMissing(command: string): string | undefined {
  try {
    const descriptor = openSync(command, "r");
    try {
      const start = Buffer.alloc(FIRST_LINE_BYTES_MAX);
      const [interpreter] = interpreterIn(start.subarray(0, readSync(descriptor, start))) ?? [];
      return interpreter === undefined || existsSync(interpreter) ? undefined : missingInterpreter(interpreter);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // The file itself is missing, or cannot be read: the first error says it.
    return undefined;
  }
}

export function startProcess(spec: ProcessSpec): Promise<RunningProcess> {
  const { command, args, directory, environment, onStdout, onStderr } = spec;
  return new Promise((resolve, reject) => {
    const refuse = (error: unknown): void => {
      const { code, message } = asSystemError(error);
      const why = (code === "ENOENT" ? explainMissing(command) : undefined) ?? message;
      reject(new SystemError(code, `cannot start ${command}: ${why}`, { cause: error }));
    };
    let child: ChildProcess;
    try {
      child = spawn(command, args, {
        ...given({ cwd: directory }),
        env: environment === undefined ? process.env : { ...process.env, ...environment },
        stdio: ["ignore", onStdout ? "pipe" : "ignore", onStderr ? "pipe" : "ignore"],
        // A session, and so a process group, of its own.
        detached: true,
      });
    } catch (error) {
      refuse(error);
      return;
    }
    child.once("error", refuse);
    if (onStdout) child.stdout?.on("data", onStdout);
    if (onStderr) child.stderr?.on("data", onStderr);
    const exit = exitOf(child);
    child.once("spawn", () => {
      const { pid } = child;
      if (pid === undefined) refuse(new SystemError("EIO", "it has no process id"));
      else resolve({ pid, exit, signal: (name) => groupSignal(pid, name) });
    });
  });
}

export const linuxProcesses: Processes = {
  start: startProcess,
  onSignal: (name, action) => {
    const listener = (): void => action();
    process.on(name, listener);
    return () => process.off(name, listener);
  },
};
