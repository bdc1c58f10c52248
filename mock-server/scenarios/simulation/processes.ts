import {
  type ProcessExit,
  type Processes,
  type ProcessSpec,
  type RunningProcess,
  type System,
  SystemError,
} from "@upkeep/shared/system";
import type { Disk } from "./disk/disk.ts";
import { openFifoReader } from "./files.ts";
import { type CallDesk, SimulatedProcess } from "./process.ts";
import type { ProgramContext, Programs, SimulatedProgram } from "./programs.ts";

const PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const EXECUTE_BITS = 0o111;
const INTERPRETERS_MAX = 4;

interface Executable {
  readonly program: SimulatedProgram;
  readonly args: readonly string[];
}

interface Outputs {
  readonly onStdout: ((data: Uint8Array) => void) | undefined;
  readonly onStderr: ((data: Uint8Array) => void) | undefined;
}

/** What the processes of one boot need of their machine. */
export interface ProcessHost {
  readonly desk: CallDesk;
  readonly disk: Disk;
  readonly programs: Programs;
  doorFor(process: SimulatedProcess, environment: Readonly<Record<string, string>>): System;
  note(line: () => string): void;
}

/** All processes of one boot. */
export class ProcessTable {
  readonly #host: ProcessHost;
  readonly #processes = new Set<SimulatedProcess>();
  #pids = 0;

  constructor(host: ProcessHost) {
    this.#host = host;
  }

  get running(): readonly SimulatedProcess[] {
    return [...this.#processes];
  }

  add(name: string, group?: number): SimulatedProcess {
    const pid = ++this.#pids;
    const process = new SimulatedProcess(this.#host.desk, pid, group ?? pid, name);
    this.#processes.add(process);
    process.onEnd(() => {
      this.#processes.delete(process);
      const { exit } = process;
      if (exit !== undefined)
        this.#host.note(() => `process ${process.pid} ended: ${"code" in exit ? exit.code : exit.signal}`);
    });
    return process;
  }

  /** The power goes: everything stops where it is. */
  freezeAll(): void {
    for (const process of this.#processes) process.freeze();
    this.#processes.clear();
  }

  /** The door's processes, as `parent` sees them. */
  doorFor(parent: SimulatedProcess, environment: Readonly<Record<string, string>>): Processes {
    return {
      start: (spec) =>
        parent.call("processes.start", [spec.command, ...spec.args].join(" "), () =>
          this.#start(parent, environment, spec),
        ),
      onSignal: (name, action) => parent.onSignal(name, action),
    };
  }

  #start(parent: SimulatedProcess, inherited: Readonly<Record<string, string>>, spec: ProcessSpec): RunningProcess {
    const { program, args } = this.#find(spec);
    const process = this.add(spec.command.slice(spec.command.lastIndexOf("/") + 1));
    const environment = { ...inherited, ...spec.environment };
    const heard = (listen: ((data: Uint8Array) => void) | undefined) =>
      listen && ((data: Uint8Array): void => (parent.alive ? listen(data) : undefined));
    const exit = new Promise<ProcessExit>((resolve) => {
      process.onEnd(() => {
        if (parent.alive) resolve(process.exit ?? { signal: "SIGKILL" });
      });
    });
    this.#run(process, program, args, spec.directory ?? "/", environment, {
      onStdout: heard(spec.onStdout),
      onStderr: heard(spec.onStderr),
    });
    return {
      pid: process.pid,
      exit,
      signal: (name) => {
        if (!parent.alive) return;
        for (const member of this.running) if (member.group === process.group) member.signal(name);
      },
    };
  }

  #run(
    process: SimulatedProcess,
    program: SimulatedProgram,
    args: readonly string[],
    directory: string,
    environment: Readonly<Record<string, string>>,
    outputs: Outputs,
  ): void {
    const say = (listen: Outputs["onStdout"]) => (data: string | Uint8Array) => {
      if (process.alive && listen) listen(typeof data === "string" ? new TextEncoder().encode(data) : data);
    };
    const stderr = say(outputs.onStderr);
    const context: ProgramContext = {
      pid: process.pid,
      args,
      directory,
      environment,
      system: this.#host.doorFor(process, environment),
      stdout: say(outputs.onStdout),
      stderr,
      openFifo: (path) => openFifoReader(process, this.#host.disk, path),
      leaveBehind: (another) => {
        if (!process.alive) return;
        const child = this.add(`${process.name}-child`, process.group);
        this.#run(child, another, args, directory, environment, outputs);
      },
    };
    // A new process does not run before its parent has been told of it.
    Promise.resolve()
      .then(() => (process.alive ? program(context) : 0))
      .then(
        (code) => process.end({ code }),
        (error: unknown) => {
          stderr(`${error instanceof Error ? error.message : String(error)}\n`);
          process.end({ code: 1 });
        },
      );
  }

  #find({ command, args }: ProcessSpec): Executable {
    if (command.includes("/")) return this.#load(command, args, 0);
    for (const directory of PATH) {
      const path = `${directory}/${command}`;
      if (path in this.#host.programs || this.#fileAt(path) !== undefined) return this.#load(path, args, 0);
    }
    throw new SystemError("ENOENT", `ENOENT: spawn ${command}`);
  }

  #fileAt(path: string) {
    try {
      return this.#host.disk.find(path, "spawn");
    } catch {
      return undefined;
    }
  }

  #load(path: string, args: readonly string[], depth: number): Executable {
    const { programs } = this.#host;
    const file = this.#fileAt(path);
    const program = programs[path];
    if (file === undefined) {
      if (program === undefined) throw new SystemError("ENOENT", `ENOENT: spawn ${path}`);
      return { program, args };
    }
    if (file.kind !== "file" || (file.mode & EXECUTE_BITS) === 0 || file.mount.noexec)
      throw new SystemError("EACCES", `EACCES: spawn ${path}`);
    if (program !== undefined) return { program, args };
    const [firstLine = ""] = new TextDecoder().decode(file.content.bytes.subarray(0, 256)).split("\n");
    if (!firstLine.startsWith("#!") || depth >= INTERPRETERS_MAX)
      throw new SystemError("ENOEXEC", `ENOEXEC: spawn ${path}`);
    const [interpreter = "", ...own] = firstLine.slice(2).trim().split(/\s+/);
    return this.#load(interpreter, [...own, path, ...args], depth + 1);
  }
}
