/** Pauses between attempts. All times are milliseconds. */

const SMALLEST_MS = 60_000;
const USES_OF_EACH = 3;
/** A pause is shortened at random by up to this fraction, so that a fleet does not return at the same time. */
const JITTER = 0.2;
/** Upper bound of Retry-After: a wrong value must not keep a device away for years. */
const RETRY_AFTER_MS_MAX = 24 * 3600_000;
const RETRY_AFTER_MS_MIN = 1000;
/** A server names the same Retry-After to the whole fleet: it is lengthened at random by up to this fraction. */
const RETRY_AFTER_JITTER = 0.1;

export interface BackoffSchedule {
  /** The longest pause. If it is below a minute, all pauses have this length. */
  readonly longestMs: number;
  /** Number of pauses; 0: until the longest one was used three times. */
  readonly count: number;
}

/**
 * The reference client's schedule: from one minute each pause is used three times, then doubled, up to the
 * longest.
 * @param attempt Attempts so far, at least 1.
 * @returns The pause before the next attempt, without jitter; `undefined` to stop.
 */
export function scheduledPause(schedule: BackoffSchedule, attempt: number): number | undefined {
  const longestMs = Math.max(schedule.longestMs, 1000);
  const smallestMs = Math.min(SMALLEST_MS, longestMs);
  const doublings = Math.floor((attempt - 1) / USES_OF_EACH);
  const steps = Math.ceil(Math.log2(longestMs / smallestMs));
  const last = schedule.count > 0 ? schedule.count : (steps + 1) * USES_OF_EACH;
  if (attempt > last) return undefined;
  return Math.min(smallestMs * 2 ** Math.min(doublings, steps), longestMs);
}

/** `pauseMs`, shortened at random; never 0. */
export function jittered(pauseMs: number, fraction: number): number {
  return Math.max(1, Math.round(pauseMs * (1 - JITTER * fraction)));
}

/** The Retry-After of a server within its bounds, lengthened at random. */
export function obeyed(retryAfterMs: number, fraction: number): number {
  const boundedMs = Math.min(Math.max(retryAfterMs, RETRY_AFTER_MS_MIN), RETRY_AFTER_MS_MAX);
  return Math.round(boundedMs * (1 + RETRY_AFTER_JITTER * fraction));
}

/**
 * How long to wait before the next attempt.
 * @param attempt Attempts so far, at least 1.
 * @param fraction A random number in [0, 1).
 * @param retryAfterMs What the server asked for, if it did: it is obeyed, and the attempt does not count.
 * @returns `undefined` to stop.
 */
export function pauseBeforeRetry(
  schedule: BackoffSchedule,
  attempt: number,
  fraction: number,
  retryAfterMs?: number,
): number | undefined {
  if (retryAfterMs !== undefined) return obeyed(retryAfterMs, fraction);
  const pauseMs = scheduledPause(schedule, attempt);
  return pauseMs === undefined ? undefined : jittered(pauseMs, fraction);
}

const RESUME_SMALLEST_MS = 1000;

/**
 * The pause before a broken download is resumed: one second, doubled with each attempt without a byte.
 * @param fruitless Consecutive attempts without a byte, at least 0.
 */
export function pauseBeforeResume(fruitless: number, longestMs: number, fraction: number): number {
  return jittered(Math.min(RESUME_SMALLEST_MS * 2 ** fruitless, Math.max(longestMs, RESUME_SMALLEST_MS)), fraction);
}
