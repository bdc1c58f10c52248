import { describe, expect, test } from "vitest";
import { HttpError } from "../../../mock-server/api/errors.ts";
import {
  FROM_ONE_NETWORK,
  KNOWN_NETWORK,
  LoginLimit,
  type LoginTry,
  STRANGERS,
} from "../../../mock-server/api/login-limit.ts";
import { networkOf } from "../../../mock-server/api/network-address.ts";
import { fc } from "../../support/fast-check.ts";
import { TestSystem } from "../domain-fixture.ts";

const HOUR_MS = 3_600_000;
const ACCOUNT = "admin@example.com";
const OWNER = "192.0.2.1";

class World {
  readonly system = new TestSystem();
  readonly limit = new LoginLimit(this.system);
  /** When the password of a guess was checked. */
  readonly guessesMs: number[] = [];

  begin(address: string, client?: string, account = ACCOUNT): LoginTry | undefined {
    try {
      return this.limit.begin({ account, address, client });
    } catch (error) {
      if (error instanceof HttpError && error.status === 429) return undefined;
      throw error;
    }
  }

  guess(address: string): void {
    const attempt = this.begin(address);
    if (attempt === undefined) return;
    attempt.ended();
    this.guessesMs.push(this.system.nowMs);
  }

  /** @returns True if the owner, with the right password, is in. */
  owner(address: string, client?: string): boolean {
    const attempt = this.begin(address, client);
    attempt?.succeeded();
    attempt?.ended();
    return attempt !== undefined;
  }

  /** The most guesses that were checked within one hour. */
  mostInAnHour(): number {
    const within = (fromMs: number) => this.guessesMs.filter((ms) => ms >= fromMs && ms < fromMs + HOUR_MS).length;
    return Math.max(0, ...this.guessesMs.map(within));
  }
}

const STRANGERS_IN_AN_HOUR = STRANGERS.burst + STRANGERS.perHour;
const AT_A_KNOWN_NETWORK_IN_AN_HOUR = KNOWN_NETWORK.burst + KNOWN_NETWORK.perHour;

const elsewhere = fc.nat(500).map((number) => `198.51.${number % 100}.${number}`);
/** Bursts of guesses, and pauses of up to two hours. */
const step = (address: fc.Arbitrary<string>) =>
  fc.record({
    afterMs: fc.oneof(fc.nat(2000), fc.nat(2 * HOUR_MS)),
    guesses: fc.nat(80),
    address,
    owner: fc.boolean(),
  });
const steps = (address: fc.Arbitrary<string>) => fc.array(step(address), { minLength: 1, maxLength: 40 });

describe("whatever a guesser does, and from wherever,", () => {
  test("a client that has logged in before gets in at once, and the guesser has few tries", () => {
    fc.assert(
      fc.property(steps(fc.oneof(elsewhere, fc.constant(OWNER))), (all) => {
        const world = new World();
        expect(world.owner(OWNER, "laptop")).toBe(true);
        for (const { afterMs, guesses, address, owner } of all) {
          world.system.nowMs += afterMs;
          for (let guess = 0; guess < guesses; guess++) world.guess(guess % 2 === 0 ? address : OWNER);
          if (owner) expect(world.owner(OWNER, "laptop")).toBe(true);
        }
        expect(world.mostInAnHour()).toBeLessThanOrEqual(STRANGERS_IN_AN_HOUR + AT_A_KNOWN_NETWORK_IN_AN_HOUR);
      }),
    );
  });

  test("from other addresses: the owner gets in at once from where there was a login before, without any proof", () => {
    fc.assert(
      fc.property(steps(elsewhere), (all) => {
        const world = new World();
        expect(world.owner(OWNER)).toBe(true);
        for (const { afterMs, guesses, address } of all) {
          world.system.nowMs += afterMs;
          for (let guess = 0; guess < guesses; guess++) world.guess(address.replace(/\d+$/, String(guess)));
          expect(world.owner(OWNER)).toBe(true);
        }
        expect(world.mostInAnHour()).toBeLessThanOrEqual(STRANGERS_IN_AN_HOUR);
      }),
    );
  });

  test("from one address: the owner gets in within six minutes from anywhere else", () => {
    const boundMs = HOUR_MS / (STRANGERS.perHour - FROM_ONE_NETWORK.perHour);
    fc.assert(
      fc.property(steps(fc.constant("198.51.100.7")), (all) => {
        const world = new World();
        for (const { afterMs, guesses, address } of all) {
          world.system.nowMs += afterMs;
          for (let guess = 0; guess < guesses; guess++) world.guess(address);
        }
        let waitedMs = 0;
        while (!world.owner(OWNER)) {
          world.system.nowMs += 1000;
          waitedMs += 1000;
          for (let guess = 0; guess < 5; guess++) world.guess("198.51.100.7");
          expect(waitedMs).toBeLessThanOrEqual(boundMs);
        }
      }),
    );
  });
});

test("a guesser's own logins give no further tries", () => {
  const world = new World();
  for (let round = 0; round < 40; round++) {
    world.guess("198.51.100.7");
    const own = world.begin("198.51.100.7", undefined, "guesser@example.com");
    own?.succeeded();
    own?.ended();
  }
  expect(world.guessesMs).toHaveLength(FROM_ONE_NETWORK.burst);
});

test("at most twenty passwords of strangers wait to be checked; a client that is known does not wait for more", () => {
  const world = new World();
  const begun = Array.from({ length: 30 }, (_, n) => world.begin(`198.51.100.${n}`, undefined, `u${n}@example.com`));
  expect(begun.filter((attempt) => attempt !== undefined)).toHaveLength(20);
  expect(world.owner(OWNER, "laptop")).toBe(true);
  begun[0]?.ended();
  expect(world.begin(OWNER)).toBeDefined();
});

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8::5", "2001:db8:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
])("all addresses of a network count as one: %s", (address, network) => {
  expect(networkOf(address)).toBe(network);
});
