import type { Storage } from "../../storage/index.ts";
import type { Sources } from "../creation/creation.ts";

/** A wall clock that moves by more than this against the monotonic clock was set. */
export const CLOCK_JUMP_MS = 5_000;
/** Servers whose clocks differ by more than this cannot use each other's records. */
const CLOCKS_APART_MS = 60_000;
/** The record of a server that was not updated for this long is deleted; the others have taken over its uptime. */
const FORGOTTEN_MS = 10 * 60_000;

/**
 * Since when servers have been up without a break. The silence of a device counts from then at the earliest.
 *
 * Several servers may share the records. Each records its uptime when it looks for silent devices, and takes over the
 * longer uptime of the others, so starting or stopping one of several servers loses nothing. It takes over from
 * servers only that it has seen alive: a server that was killed and restarted does not count the time between.
 *
 * INVARIANTS
 * - From `sinceMs()` on, at least one server was up, and the wall clock of this one was not set.
 * - A server that cannot write the records counts as down.
 */
export class Uptime {
  readonly #system: Sources;
  #sinceMs = 0;
  /** Both clocks, when `sinceMs()` was last called. */
  #wallMs = 0;
  #monotonicMs = 0;
  /** The last attempt to write the records failed. */
  #writeFailed = false;
  #server: string | undefined;
  /** The last update of each other server that this one has seen. */
  #others: ReadonlyMap<string, number> = new Map();
  #recordedMs: number | undefined;

  constructor(system: Sources) {
    this.#system = system;
    this.restart();
  }

  /** The server was down until now: it starts, or its process was stopped. */
  restart(): void {
    const { clock } = this.#system;
    this.#wallMs = clock.now();
    this.#monotonicMs = clock.monotonic();
    this.#sinceMs = this.#wallMs;
    this.#recordedMs = undefined;
  }

  /** Since when servers have been up, on the wall clock. */
  sinceMs(): number {
    const { clock } = this.#system;
    const wallMs = clock.now();
    const monotonicMs = clock.monotonic();
    const gainedMs = wallMs - this.#wallMs - (monotonicMs - this.#monotonicMs);
    if (Math.abs(gainedMs) > CLOCK_JUMP_MS || this.#writeFailed) this.restart();
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    return this.#sinceMs;
  }

  /**
   * Records the uptime of this server, and takes over that of others.
   * @throws Error if the records cannot be written, or the clocks of the servers differ too much.
   */
  async record(storage: Storage): Promise<void> {
    this.#server ??= this.#system.random.uuid();
    const server = this.#server;
    let recorded: Recorded;
    try {
      recorded = await storage.transaction(async ({ uptime }) => {
        const mine = this.sinceMs();
        const nowMs = this.#system.clock.now();
        const others = (await uptime.all()).filter((one) => one.server !== server);
        // The record of a server that is alive has changed since the last look.
        const alive = others.filter((one) => (this.#others.get(one.server) ?? one.last_ms) !== one.last_ms);
        const apart = alive.find(
          (one) => Math.abs(distanceFrom(one.last_ms, this.#recordedMs ?? nowMs, nowMs)) > CLOCKS_APART_MS,
        );
        const since_ms = apart === undefined ? startOfChain(mine, alive) : nowMs;
        await uptime.put({ server, since_ms, last_ms: nowMs });
        for (const one of others) if (Math.abs(nowMs - one.last_ms) > FORGOTTEN_MS) await uptime.delete(one.server);
        return { sinceMs: since_ms, nowMs, others: new Map(others.map((one) => [one.server, one.last_ms])), apart };
      });
    } catch (error) {
      this.#writeFailed = true;
      throw error;
    }
    this.#writeFailed = false;
    this.#sinceMs = recorded.sinceMs;
    this.#others = recorded.others;
    this.#recordedMs = recorded.nowMs;
    if (recorded.apart !== undefined) {
      throw new Error(
        `another server that shares the records has a clock that differs by more than ${CLOCKS_APART_MS / 1000} s: no device counts as silent until they agree`,
      );
    }
  }
}

interface Recorded {
  readonly sinceMs: number;
  readonly nowMs: number;
  readonly others: ReadonlyMap<string, number>;
  readonly apart: unknown;
}

interface Interval {
  readonly since_ms: number;
  readonly last_ms: number;
}

/** How far `ms` lies outside of a range. */
function distanceFrom(ms: number, fromMs: number, toMs: number): number {
  return ms < fromMs ? ms - fromMs : ms > toMs ? ms - toMs : 0;
}

/** The start of the chain of overlapping intervals that ends with the one beginning at `sinceMs`. */
function startOfChain(sinceMs: number, intervals: readonly Interval[]): number {
  const earlier = intervals.find(({ since_ms, last_ms }) => since_ms < sinceMs && last_ms >= sinceMs);
  return earlier === undefined ? sinceMs : startOfChain(earlier.since_ms, intervals);
}
