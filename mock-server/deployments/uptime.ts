import type { Storage } from "../storage/index.ts";
import type { Sources } from "./creation.ts";

/** A wall clock that gains or loses more than this against the monotonic clock between two looks was set. */
export const CLOCK_JUMP_MS = 5_000;
/** Servers whose clocks differ by more than this cannot judge by each other's notes. */
const CLOCKS_APART_MS = 60_000;
/** A server that has said nothing for so long has ended; what it knew, the others have taken over. */
const FORGOTTEN_MS = 10 * 60_000;

/**
 * Since when devices can be heard: silence before that is none of theirs.
 *
 * Several servers may share the records. Each notes since when it can hear, in the rounds in which it looks for silent
 * devices. The start of one, or its end, loses nothing as long as another one goes on: a server takes over how long
 * the others can hear already. It does so only from servers that it has seen alive, so that one that was killed and
 * started again does not count the time between.
 *
 * INVARIANTS
 * - From `sinceMs()` on, at least one server could hear, and the wall clock of this one was not set.
 * - While the records cannot be written, no device can be heard.
 */
export class Uptime {
  readonly #system: Sources;
  #sinceMs = 0;
  /** Both clocks at the last look. */
  #wallMs = 0;
  #monotonicMs = 0;
  /** The records could not be written when this server last tried. */
  #deaf = false;
  #server: string | undefined;
  /** What each other server last noted, as this one has seen it. */
  #others: ReadonlyMap<string, number> = new Map();
  #notedMs: number | undefined;

  constructor(system: Sources) {
    this.#system = system;
    this.restart();
  }

  /** Devices could not be heard before this moment: the server starts, or it stood still. */
  restart(): void {
    const { clock } = this.#system;
    this.#wallMs = clock.now();
    this.#monotonicMs = clock.monotonic();
    this.#sinceMs = this.#wallMs;
    this.#notedMs = undefined;
  }

  /** Since when devices can be heard without a break, on the wall clock. */
  sinceMs(): number {
    const { clock } = this.#system;
    const wallMs = clock.now();
    const monotonicMs = clock.monotonic();
    const gainedMs = wallMs - this.#wallMs - (monotonicMs - this.#monotonicMs);
    if (Math.abs(gainedMs) > CLOCK_JUMP_MS || this.#deaf) this.restart();
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    return this.#sinceMs;
  }

  /**
   * Note that devices can be heard, and learn it from the other servers.
   * @throws Error if the records cannot be written, or the clocks of the servers differ too much.
   */
  async note(storage: Storage): Promise<void> {
    this.#server ??= this.#system.random.uuid();
    const server = this.#server;
    let noted: Noted;
    try {
      noted = await storage.transaction(async ({ uptime }) => {
        const mine = this.sinceMs();
        const nowMs = this.#system.clock.now();
        const others = (await uptime.all()).filter((one) => one.server !== server);
        // The note of one that is alive has changed since this server last looked.
        const alive = others.filter((one) => (this.#others.get(one.server) ?? one.last_ms) !== one.last_ms);
        const apart = alive.find(
          (one) => Math.abs(clamped(one.last_ms, this.#notedMs ?? nowMs, nowMs)) > CLOCKS_APART_MS,
        );
        const since_ms = apart === undefined ? chained(mine, alive) : nowMs;
        await uptime.put({ server, since_ms, last_ms: nowMs });
        for (const one of others) if (Math.abs(nowMs - one.last_ms) > FORGOTTEN_MS) await uptime.delete(one.server);
        return { sinceMs: since_ms, nowMs, others: new Map(others.map((one) => [one.server, one.last_ms])), apart };
      });
    } catch (error) {
      this.#deaf = true;
      throw error;
    }
    this.#deaf = false;
    this.#sinceMs = noted.sinceMs;
    this.#others = noted.others;
    this.#notedMs = noted.nowMs;
    if (noted.apart !== undefined) {
      throw new Error(
        `another server that shares the records has a clock that differs by more than ${CLOCKS_APART_MS / 1000} s: no device counts as silent until they agree`,
      );
    }
  }
}

interface Noted {
  readonly sinceMs: number;
  readonly nowMs: number;
  readonly others: ReadonlyMap<string, number>;
  readonly apart: unknown;
}

interface Interval {
  readonly since_ms: number;
  readonly last_ms: number;
}

/** How far `ms` is outside of a range. */
function clamped(ms: number, fromMs: number, toMs: number): number {
  return ms < fromMs ? ms - fromMs : ms > toMs ? ms - toMs : 0;
}

/** Since when one of them could hear, if `sinceMs` is when the last of them began. */
function chained(sinceMs: number, intervals: readonly Interval[]): number {
  const earlier = intervals.find(({ since_ms, last_ms }) => since_ms < sinceMs && last_ms >= sinceMs);
  return earlier === undefined ? sinceMs : chained(earlier.since_ms, intervals);
}
