import type { Clock } from "@upkeep/shared/system";
import { HttpError } from "./errors.ts";

/** So many wrong passwords cost nothing; each one more doubles the wait. */
const FREE = { account: 5, address: 20 } as const;
const WAIT_MS_FIRST = 1000;
/** Nobody can shut somebody else out for longer than this. */
const WAIT_MS_MAX = 5 * 60_000;
const FORGOTTEN_AFTER_MS = 60 * 60_000;
/** Accounts and addresses that are remembered; the one that tried least recently is forgotten first. */
const REMEMBERED_MAX = 10_000;

interface Tries {
  failed: number;
  /** Monotonic, as the other times here. */
  lastMs: number;
  blockedUntilMs: number;
}

/** A try that is under way. */
export interface LoginTry {
  /** The password was right. */
  succeeded(): void;
}

/** Keeps those who guess passwords waiting. Each process counts by itself. */
export class LoginLimit {
  readonly #clock: Clock;
  readonly #tries = new Map<string, Tries>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Count a try as failed until it is said to have succeeded, so that tries at the same time are not free.
   * @throws HttpError (429, with Retry-After)
   */
  begin(account: string, address: string): LoginTry {
    const keys = [
      { key: `account ${account.toLowerCase().slice(0, 256)}`, free: FREE.account },
      { key: `address ${address}`, free: FREE.address },
    ];
    const now = this.#clock.monotonic();
    const waitMs = Math.max(...keys.map(({ key }) => (this.#tries.get(key)?.blockedUntilMs ?? now) - now));
    if (waitMs > 0) {
      const headers = { "retry-after": String(Math.ceil(waitMs / 1000)) };
      throw new HttpError(429, "too many login attempts; try again later", headers);
    }
    for (const { key, free } of keys) this.#fail(key, free, now);
    return {
      succeeded: () => {
        for (const { key } of keys) this.#tries.delete(key);
      },
    };
  }

  #fail(key: string, free: number, now: number): void {
    const known = this.#tries.get(key);
    const failed = (known === undefined || now - known.lastMs > FORGOTTEN_AFTER_MS ? 0 : known.failed) + 1;
    const waitMs = failed < free ? 0 : Math.min(WAIT_MS_FIRST * 2 ** (failed - free), WAIT_MS_MAX);
    this.#tries.delete(key);
    this.#tries.set(key, { failed, lastMs: now, blockedUntilMs: now + waitMs });
    const [oldest] = this.#tries.keys();
    if (this.#tries.size > REMEMBERED_MAX && oldest !== undefined) this.#tries.delete(oldest);
  }
}
