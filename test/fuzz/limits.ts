import type { WayName } from "./ways.ts";

const MIB = 1024 * 1024;

/** Processor time, all threads, that one input may take on one way. */
export const CPU_MS_MAX = 1000;

/** One way that has not ended after this time hangs, however loaded the machine is. */
export const HANGS_AFTER_MS = 30_000;

/**
 * How far one input may raise a process's memory: the 16 MiB that a header may have and be held with, what Node leaves
 * to its next garbage collection, and besides the window that a compressed stream declares and the input itself. The
 * upload's in-process client keeps copies of the input, and its records and files leave more to be collected.
 */
export function memoryBytesMax(way: WayName, windowBytes: number, inputBytes: number): number {
  const own = way === "upload" ? 64 * MIB + 4 * inputBytes : 40 * MIB + 2 * inputBytes;
  return own + windowBytes;
}
