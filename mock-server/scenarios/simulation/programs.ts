import type { System } from "@upkeep/shared/system";
import type { FifoReader } from "./files.ts";

/** What a program in the simulation is given. */
export interface ProgramContext {
  readonly pid: number;
  readonly args: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The door, as this process sees it. The files are the machine's. */
  readonly system: System;
  stdout(data: string | Uint8Array): void;
  stderr(data: string | Uint8Array): void;
  /** Open a FIFO for reading; resolves when a writer has it open. */
  openFifo(path: string): Promise<FifoReader>;
  /** Start another program in this one's process group, and leave it running when this one ends. */
  leaveBehind(program: SimulatedProgram): void;
}

/**
 * A program of the simulation. Resolves to its exit code; what it throws is its standard error, with exit
 * code 1. Like the agent it reaches everything through the door and has no state outside it.
 */
export type SimulatedProgram = (context: ProgramContext) => Promise<number>;

/**
 * Programs by absolute path. A file on the disk at that path is not needed; if there is one it must be
 * executable. A file that begins with `#!PATH` runs the program PATH with its own path as an argument, as
 * scripts do.
 */
export type Programs = Readonly<Record<string, SimulatedProgram>>;
