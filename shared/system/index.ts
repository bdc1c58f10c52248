/**
 * The door to the outside.
 *
 * Engine, client and server reach time, chance, files, network, processes and power only through
 * these interfaces. `agent/system/` and `mock-server/system/` are the real doors; a simulation
 * supplies its own and runs the same code in virtual time. Rules that any door obeys:
 *
 * 1. Time moves only through the door: a program waits with {@link Timers} or for an event.
 * 2. A call that fails rejects with a {@link SystemError} (or a subclass); its `code` is the
 *    platform's (`ENOENT`, `ENOSPC`, `ECONNREFUSED`, …), so that callers branch on it.
 * 3. Nothing is durable before a sync: a file's content after `sync()` of its handle or `syncFiles()`, a name
 *    (created, renamed, removed) after `syncDirectory()` of its directory. See `durable.ts`.
 * 4. Every wait can be ended by an `AbortSignal`, which rejects with the signal's reason.
 */

export { AddressRange } from "./address-range.ts";
export { collectBody, collectText } from "./bodies.ts";
export { createDirectoryDurably, removeDurably, replaceFile } from "./durable.ts";
export { isSystemError, SystemError } from "./errors.ts";
export type { DirectoryEntry, FifoWriter, FileHandle, FileKind, FileStatus, Files, OpenMode } from "./files.ts";
export { LinkedController } from "./linked.ts";
export type { HttpBody, HttpHeaders, HttpMethod, HttpRequest, HttpResponse, Network, TlsOptions } from "./network.ts";
export type { Power } from "./power.ts";
export type { ProcessExit, Processes, ProcessSpec, RunningProcess, SignalName } from "./processes.ts";
export type { Random } from "./random.ts";
export { readChunks, readFile, readTextFile } from "./reading.ts";
export { type Clock, type Cron, type CronTask, sleepWith, type Timer, type Timers } from "./time.ts";

import type { Files } from "./files.ts";
import type { Network } from "./network.ts";
import type { Power } from "./power.ts";
import type { Processes } from "./processes.ts";
import type { Random } from "./random.ts";
import type { Clock, Cron, Timers } from "./time.ts";

/** All access of a program to its machine. */
export interface System {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly cron: Cron;
  readonly random: Random;
  readonly files: Files;
  readonly network: Network;
  readonly processes: Processes;
  readonly power: Power;
}
