import { createHmac } from "node:crypto";
import type { Clock, Random } from "@upkeep/shared/system";
import { HttpError } from "./errors.ts";
import { networkOf } from "./network-address.ts";

const HOUR_MS = 3_600_000;
/** Less than this of a try is an error of the arithmetic. */
const ROUNDING = 1e-6;

/** Wrong passwords that are free at first, and how many more become free in an hour. */
interface Allowance {
  readonly burst: number;
  readonly perHour: number;
}

/**
 * What all without a proof share, for one account: with {@link FROM_ONE_NETWORK} below it, no single network
 * can use it up.
 */
export const STRANGERS: Allowance = { burst: 20, perHour: 30 };
/** One network's tries for one account. */
export const FROM_ONE_NETWORK: Allowance = { burst: 5, perHour: 20 };
/** One network's tries for all accounts. */
const ALL_ACCOUNTS: Allowance = { burst: 20, perHour: 120 };
/** A network from which the account's owner has logged in before: guessers elsewhere take nothing of it. */
export const KNOWN_NETWORK: Allowance = { burst: 5, perHour: 20 };
/** A client that proves that it has logged in to the account before: its allowance is its own. */
const KNOWN_CLIENT: Allowance = { burst: 5, perHour: 20 };

export const KNOWN_NETWORKS_MAX = 4;
/** Accounts whose networks are remembered; the one that was logged in to least recently is forgotten first. */
const ACCOUNTS_MAX = 10_000;
/** Password checks for strangers that may wait for each other: those of known clients wait behind these at most. */
const STRANGERS_AT_ONCE_MAX = 20;
const AT_ONCE_RETRY_S = 5;
/**
 * Tries are counted in a fixed number of slots, chosen by a secret. There is no more of them however many addresses and
 * accounts a guesser makes up, and nothing has to be forgotten early to make room.
 */
const SLOTS = 65_536;

interface Level {
  /** Wrong tries that still count. */
  tries: number;
  /** Monotonic. */
  atMs: number;
}

/** Counts the wrong tries of each key against one allowance. */
class Tries {
  readonly #allowance: Allowance;
  readonly #levels = new Map<number, Level>();

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
  }

  #now(slot: number, nowMs: number): number {
    const level = this.#levels.get(slot);
    if (level === undefined) return 0;
    return Math.max(0, level.tries - ((nowMs - level.atMs) * this.#allowance.perHour) / HOUR_MS);
  }

  /** Until the next try is free. */
  waitMs(slot: number, nowMs: number): number {
    const excess = this.#now(slot, nowMs) + 1 - this.#allowance.burst;
    return excess <= ROUNDING ? 0 : Math.ceil((excess * HOUR_MS) / this.#allowance.perHour);
  }

  /** @param by -1: a try that was counted was right. */
  count(slot: number, nowMs: number, by: 1 | -1): void {
    const tries = Math.max(0, this.#now(slot, nowMs) + by);
    if (tries === 0) this.#levels.delete(slot);
    else this.#levels.set(slot, { tries, atMs: nowMs });
  }
}

/** Who tries to log in. */
export interface Attempt {
  /** The e-mail address. */
  readonly account: string;
  /** Another one for each password of the account: what was guessed of an old one does not count for a new one. */
  readonly passwordVersion?: string;
  /** The IP address that the connection comes from. */
  readonly address: string;
  /** The client that has proved that it logged in to this account before. */
  readonly client?: string | undefined;
}

/** A try that is under way. */
export interface LoginTry {
  /** The password was right. */
  succeeded(): void;
  /** The password is checked, whatever came of it. */
  ended(): void;
}

/**
 * Bounds how many passwords can be guessed, without locking out the owner of an account.
 *
 * Before a password is checked nothing tells an owner from a guesser at the same address, and behind a proxy all users
 * have one address. So each party that can be told apart has an allowance of its own, which others cannot use up:
 *
 * - A client that proves that it has logged in before, by the cookie that a login sets: it gets in at once, whatever
 *   guessers do, from wherever.
 * - A network that the owner has logged in from since the start of this process: the owner gets in at once, unless the
 *   guesser has the same address.
 * - All others share {@link STRANGERS}. A guesser with one address leaves a third of it: the owner gets in within six
 *   minutes. A guesser with many addresses can use it up; then there is the way on the server's own machine: `upkeep-server
 *   user token`, which is no login, or a new password, for which the counts of the account begin anew.
 *
 * A guesser gets at most 50 tries an hour for one account; 25 more where the address is also one of the owner's.
 * Each process counts by itself: several servers allow as many times more.
 */
export class LoginLimit {
  readonly #clock: Clock;
  readonly #key: Uint8Array;
  readonly #strangers = new Tries(STRANGERS);
  readonly #oneNetwork = new Tries(FROM_ONE_NETWORK);
  readonly #allAccounts = new Tries(ALL_ACCOUNTS);
  readonly #knownNetworks = new Tries(KNOWN_NETWORK);
  readonly #knownClients = new Tries(KNOWN_CLIENT);
  /** Of each account, the networks that it was logged in to from, the last one last. */
  readonly #networks = new Map<string, readonly string[]>();
  #strangersUnderWay = 0;

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock;
    this.#key = random.bytes(32);
  }

  /**
   * Counts a try as wrong until it is said to have succeeded, so that tries at the same time are not free.
   * @throws HttpError (429, with Retry-After)
   */
  begin({ account, passwordVersion = "", address, client }: Attempt): LoginTry {
    const owner = account.toLowerCase();
    const network = networkOf(address);
    const known = client !== undefined || this.#networks.get(owner)?.includes(network) === true;
    const counts = this.#countsOf(owner, passwordVersion, network, client);
    const now = this.#clock.monotonic();
    const waitMs = Math.max(...counts.map(({ tries, slot }) => tries.waitMs(slot, now)));
    if (waitMs > 0) throw tooMany(Math.ceil(waitMs / 1000));
    if (!known && this.#strangersUnderWay >= STRANGERS_AT_ONCE_MAX) throw tooMany(AT_ONCE_RETRY_S);
    for (const { tries, slot } of counts) tries.count(slot, now, 1);
    if (!known) this.#strangersUnderWay += 1;
    return {
      succeeded: () => {
        for (const { tries, slot } of counts) tries.count(slot, this.#clock.monotonic(), -1);
        this.#remember(owner, network);
      },
      ended: () => {
        if (!known) this.#strangersUnderWay -= 1;
      },
    };
  }

  #countsOf(owner: string, version: string, network: string, client: string | undefined) {
    const ofClient = (one: string) => ({
      tries: this.#knownClients,
      slot: this.#slotOf("client", owner, version, one),
    });
    if (client !== undefined) return [ofClient(client)];
    const ofBoth = this.#slotOf("network of account", owner, version, network);
    if (this.#networks.get(owner)?.includes(network)) return [{ tries: this.#knownNetworks, slot: ofBoth }];
    return [
      { tries: this.#strangers, slot: this.#slotOf("account", owner, version) },
      { tries: this.#oneNetwork, slot: ofBoth },
      { tries: this.#allAccounts, slot: this.#slotOf("network", network) },
    ];
  }

  #slotOf(...parts: readonly string[]): number {
    const digest = createHmac("sha256", this.#key).update(JSON.stringify(parts)).digest();
    return digest.readUInt32BE(0) % SLOTS;
  }

  #remember(owner: string, network: string): void {
    const others = (this.#networks.get(owner) ?? []).filter((one) => one !== network);
    this.#networks.delete(owner);
    this.#networks.set(owner, [...others, network].slice(-KNOWN_NETWORKS_MAX));
    const [oldest] = this.#networks.keys();
    if (this.#networks.size > ACCOUNTS_MAX && oldest !== undefined) this.#networks.delete(oldest);
  }
}

function tooMany(retryAfterS: number): HttpError {
  const headers = { "retry-after": String(retryAfterS) };
  return new HttpError(429, "too many login attempts; try again later", headers);
}
