import { given } from "@upkeep/shared/given";
import { type Cron, SystemError } from "@upkeep/shared/system";
import { createTask, validateDetailed } from "node-cron";

const DAY_MS = 24 * 3600_000;
/** A date that exists comes within these: the rarest, 29 February on a given weekday, within 40 years. */
const DAYS_MAX = 366 * 41;

/** When a cron expression matches, read as node-cron reads it, computed for any instant. */
export class CronInstants {
  readonly #hours: readonly number[];
  readonly #minutes: readonly number[];
  readonly #seconds: readonly number[];
  readonly #months: ReadonlySet<number>;
  readonly #local: Intl.DateTimeFormat;
  readonly #matches: (instant: Date) => boolean;

  /** @throws SystemError with code EINVAL if it is no cron expression or no time zone. */
  constructor(expression: string, timezone?: string) {
    const wrong = cronFault(expression);
    const { fields } = validateDetailed(expression);
    if (wrong !== undefined || fields === undefined)
      throw new SystemError("EINVAL", `cron expression '${expression}': ${wrong ?? "it cannot be read"}`);
    const inOrder = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
    this.#hours = inOrder(fields.hour);
    this.#minutes = inOrder(fields.minute);
    this.#seconds = inOrder(fields.second);
    this.#months = new Set(fields.month);
    try {
      this.#local = new Intl.DateTimeFormat("en-US", {
        ...given({ timeZone: timezone }),
        calendar: "gregory",
        numberingSystem: "latn",
        hourCycle: "h23",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
      });
    } catch (error) {
      throw new SystemError("EINVAL", `time zone '${timezone}' is not known`, { cause: error });
    }
    // Only asked, never started: node-cron keeps no timer for it.
    const task = createTask(expression, () => undefined, timezone === undefined ? {} : { timezone });
    this.#matches = (instant) => task.match(instant);
    void task.destroy();
  }

  /** Whether the minute in which `atMs` lies is one that the expression names. */
  matchesMinute(atMs: number): boolean {
    return this.#matches(new Date(Math.floor(atMs / 60_000) * 60_000));
  }

  /** The first instant after `afterMs` that matches; both in milliseconds since the Unix epoch. */
  next(afterMs: number): number | undefined {
    const from = Math.floor(afterMs / 1000) * 1000;
    const local = this.#localMs(from);
    const startOfDay = Math.floor(local / DAY_MS) * DAY_MS;
    for (let day = 0; day < DAYS_MAX; day++) {
      const found = this.#firstOnDay(startOfDay + day * DAY_MS, from, local);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Only times later than the clock on the wall shows count, as node-cron has it: also when that is set back in autumn. */
  #firstOnDay(dayMs: number, from: number, shownMs: number): number | undefined {
    if (!this.#months.has(new Date(dayMs).getUTCMonth() + 1)) return undefined;
    for (const hour of this.#hours) {
      const hourMs = dayMs + hour * 3600_000;
      if (hourMs + 3599_000 <= shownMs) continue;
      for (const minute of this.#minutes)
        for (const second of this.#seconds) {
          const wanted = hourMs + minute * 60_000 + second * 1000;
          if (wanted <= shownMs) continue;
          const instant = this.#instant(wanted);
          if (instant > from && this.#matches(new Date(instant))) return instant;
          if (!this.#dayMayMatch(dayMs)) return undefined;
        }
    }
    return undefined;
  }

  /** Whether the day matches, whatever the time: asked at the first minute and second of every hour. */
  #dayMayMatch(dayMs: number): boolean {
    const [minute = 0] = this.#minutes;
    const [second = 0] = this.#seconds;
    return this.#hours.some((hour) =>
      this.#matches(new Date(this.#instant(dayMs + hour * 3600_000 + minute * 60_000 + second * 1000))),
    );
  }

  /** What the clock on the wall shows, as milliseconds: of the same day and hour in UTC. */
  #localMs(instant: number): number {
    const parts: Record<string, number> = {};
    for (const { type, value } of this.#local.formatToParts(instant)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, second);
  }

  /** The instant at which the wall shows `localMs`; in the hour that is skipped in spring, one just after it. */
  #instant(localMs: number): number {
    const guess = localMs - (this.#localMs(localMs) - localMs);
    return guess - (this.#localMs(guess) - localMs);
  }
}

/** Why `expression` is no cron expression. */
export function cronFault(expression: string): string | undefined {
  const { valid, errors } = validateDetailed(expression);
  if (valid) return undefined;
  return errors.map(({ field, message }) => `${field}: ${message}`).join("; ") || "it is not a cron expression";
}

/** What cron needs: the wall clock, waiting on it, and news of when it was set. */
export interface WallClock {
  now(): number;
  after(delayMs: number, action: () => void): { cancel(): void };
  onSet(action: () => void): () => void;
}

/** Cron in virtual time. Follows the wall clock when that is set, as a real one does. */
export function simulatedCron(clock: WallClock): Cron {
  return {
    fault: async (expression) => cronFault(expression),
    matches: async (expression, atMs, timezone) => new CronInstants(expression, timezone).matchesMinute(atMs),
    schedule: async (expression, action, timezone) => {
      const instants = new CronInstants(expression, timezone);
      let pending: { cancel(): void } | undefined;
      const arm = (): void => {
        pending?.cancel();
        const now = clock.now();
        const next = instants.next(now);
        if (next === undefined) return;
        pending = clock.after(next - now, () => {
          arm();
          action();
        });
      };
      arm();
      const forget = clock.onSet(arm);
      return {
        next: () => instants.next(clock.now()),
        stop: () => {
          forget();
          pending?.cancel();
        },
      };
    },
  };
}
