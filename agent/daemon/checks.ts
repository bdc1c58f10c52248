import type { Logger } from "@upkeep/shared/logging";
import { isSystemError, readTextFile, replaceFile, type System } from "@upkeep/shared/system";
import * as z from "zod/mini";
import type { WindowSettings } from "../config/settings.ts";
import type { DueTasks } from "./daemon.ts";

const RECORD_BYTES_MAX = 16 * 1024;

/** What one check leaves for the next. Moments are milliseconds since the Unix epoch. */
const ChecksRecord = z.object({
  version: z.literal(1),
  /** When the inventory was sent. */
  inventoryMs: z.optional(z.number()),
  /** The next time of UpdatePollSchedule. */
  nextPollMs: z.optional(z.number()),
  /** The server asked at `askedMs` to be left alone until `untilMs`. */
  pause: z.optional(z.object({ askedMs: z.number(), untilMs: z.number() })),
});
type ChecksRecord = z.infer<typeof ChecksRecord>;

export interface ChecksOptions {
  readonly datastore: string;
  readonly inventoryIntervalMs: number;
  readonly windows: Pick<WindowSettings, "polls" | "timezone">;
  /** A person asks: neither the schedule nor a pause that the server asked for counts. */
  readonly now: boolean;
  readonly log: Logger;
}

/** What became of a check. */
export interface CheckReport {
  readonly polled: boolean;
  readonly inventorySent: boolean;
  readonly retryAfterMs: number | undefined;
}

/**
 * Says what a check has to do, and keeps for the next one what a daemon has in memory: when the inventory was sent, and
 * when to poll next. The file is written when that changes: not by a check that only polled, and on a device whose clock
 * jumped nothing waits longer than its interval.
 */
export class Checks {
  readonly #system: Pick<System, "clock" | "cron" | "files">;
  readonly #options: ChecksOptions;
  readonly #path: string;
  #record: ChecksRecord = { version: 1 };

  constructor(system: Pick<System, "clock" | "cron" | "files">, options: ChecksOptions) {
    this.#system = system;
    this.#options = options;
    this.#path = `${options.datastore}/upkeep-checks.json`;
  }

  async due(): Promise<DueTasks> {
    this.#record = await this.#read();
    const { now: asked, inventoryIntervalMs, log } = this.#options;
    const now = this.#system.clock.now();
    const { inventoryMs, pause } = this.#record;
    const inventory = !isWithin(now, inventoryMs, (inventoryMs ?? 0) + inventoryIntervalMs);
    if (asked) return { poll: true, inventory };
    if (pause !== undefined && isWithin(now, pause.askedMs, pause.untilMs)) {
      log.info(`the server asked to wait until ${new Date(pause.untilMs).toISOString()}`);
      return { poll: false, inventory: false };
    }
    return { poll: await this.#isPollDue(now), inventory };
  }

  /** Writes down what the next check must know. A failure is logged. */
  async done({ polled, inventorySent, retryAfterMs }: CheckReport): Promise<void> {
    const now = this.#system.clock.now();
    const { windows } = this.#options;
    const { inventoryMs, nextPollMs, pause } = this.#record;
    const record = {
      version: 1,
      inventoryMs: inventorySent ? now : inventoryMs,
      nextPollMs: windows.polls === undefined ? undefined : polled ? await this.#nextPoll() : nextPollMs,
      pause: retryAfterMs === undefined ? (polled ? undefined : pause) : { askedMs: now, untilMs: now + retryAfterMs },
    } satisfies { [Key in keyof Required<ChecksRecord>]: ChecksRecord[Key] };
    await this.#write(record);
  }

  /** Whether a time of the schedule has come since the last poll. Without a schedule the timer that starts checks decides. */
  async #isPollDue(now: number): Promise<boolean> {
    const { polls } = this.#options.windows;
    if (polls === undefined) return true;
    const next = await this.#nextPoll();
    const { nextPollMs } = this.#record;
    if (nextPollMs !== undefined && nextPollMs <= now) return true;
    // The schedule, or the clock, may have changed since.
    this.#record = { ...this.#record, nextPollMs: Math.min(nextPollMs ?? next, next) };
    this.#options.log.info(`the next poll is due at ${new Date(this.#record.nextPollMs ?? next).toISOString()}`);
    return false;
  }

  async #nextPoll(): Promise<number> {
    const { polls, timezone } = this.#options.windows;
    if (polls === undefined) return Number.POSITIVE_INFINITY;
    const task = await this.#system.cron.schedule(polls, () => undefined, timezone);
    const next = task.next();
    task.stop();
    // A schedule without a next time is refused before.
    return next ?? Number.POSITIVE_INFINITY;
  }

  async #read(): Promise<ChecksRecord> {
    try {
      const text = await readTextFile(this.#system.files, this.#path, RECORD_BYTES_MAX);
      return (text === undefined ? undefined : z.safeParse(ChecksRecord, JSON.parse(text)).data) ?? { version: 1 };
    } catch (error) {
      if (!isSystemError(error) && !(error instanceof SyntaxError)) throw error;
      this.#options.log.warning(`${this.#path} cannot be read, so everything is due: ${error.message}`);
      return { version: 1 };
    }
  }

  async #write(record: ChecksRecord): Promise<void> {
    const text = JSON.stringify(record);
    if (text === JSON.stringify(await this.#read())) return;
    try {
      await replaceFile(this.#system.files, this.#path, `${text}\n`);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#options.log.warning(`${this.#path} cannot be written, so the next check does more: ${error.message}`);
    }
  }
}

/** False also if the clock has been set back to before `fromMs`. */
function isWithin(now: number, fromMs: number | undefined, untilMs: number): boolean {
  return fromMs !== undefined && fromMs <= now && now < untilMs;
}
