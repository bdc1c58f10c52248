import { createLogger } from "@upkeep/shared/logging";
import type { Timers } from "@upkeep/shared/system";
import { expect, test } from "vitest";
import { Housekeeping } from "../../../mock-server/housekeeping/housekeeping.ts";

/** Timers whose time comes when the test says so. */
class HeldTimers implements Timers {
  readonly waiting = new Set<() => void>();

  after(_delayMs: number, action: () => void) {
    this.waiting.add(action);
    return { cancel: () => void this.waiting.delete(action) };
  }

  sleep(): Promise<void> {
    return Promise.reject(new Error("nobody sleeps here"));
  }

  goOff(): void {
    const [action] = this.waiting;
    if (action === undefined) throw new Error("nobody waits");
    this.waiting.delete(action);
    action();
  }
}

test("the store of the artifacts is swept once a day", async () => {
  const timers = new HeldTimers();
  let sweeps = 0;
  const logger = createLogger({ level: "error", format: "json", write: () => undefined, now: () => 0 });
  const nothing = { failSilent: () => Promise.resolve(0), removeAbandoned: () => Promise.resolve(0) };
  const housekeeping = new Housekeeping({
    contacts: { flush: () => Promise.resolve() },
    deployments: nothing,
    timers,
    logger,
    sweep: async () => {
      sweeps += 1;
    },
  });
  const roundsOfADay = 2880;
  for (let round = 1; round <= 2 * roundsOfADay; round += 1) {
    expect(sweeps).toBe(Math.floor((round - 1) / roundsOfADay));
    timers.goOff();
    for (let turn = 0; timers.waiting.size === 0; turn += 1) {
      if (turn > 1000) throw new Error("there is no next round");
      await Promise.resolve();
    }
  }
  expect(sweeps).toBe(2);
  await housekeeping.stop();
});

test("silent devices, and deployments that were cut short, are looked for again and again, also after a round that failed, until it is stopped", async () => {
  const timers = new HeldTimers();
  const lines: string[] = [];
  const logger = createLogger({ level: "info", format: "json", write: (line) => lines.push(line), now: () => 0 });
  const answers: (() => Promise<number>)[] = [
    () => Promise.resolve(0),
    () => Promise.reject(new Error("the database is away")),
    () => Promise.resolve(3),
  ];
  let rounds = 0;
  const failSilent = () => {
    const answer = answers[rounds];
    rounds += 1;
    return answer === undefined ? Promise.resolve(0) : answer();
  };
  let looked = 0;
  const removeAbandoned = () => {
    looked += 1;
    return Promise.resolve(looked === 3 ? 1 : 0);
  };
  const housekeeping = new Housekeeping({
    contacts: { flush: () => Promise.resolve() },
    deployments: { failSilent, removeAbandoned },
    timers,
    logger,
    sweep: () => Promise.resolve(),
  });
  for (let round = 1; round <= 3; round++) {
    timers.goOff();
    await expect.poll(() => timers.waiting.size).toBe(1);
    expect(rounds).toBe(round);
  }
  expect(looked).toBe(3);
  expect(lines).toHaveLength(3);
  expect(lines.join("")).toContain("the database is away");
  expect(JSON.parse(lines[1] ?? "{}").devices).toBe(3);
  expect(JSON.parse(lines[2] ?? "{}").removed).toBe(1);
  await housekeeping.stop();
  expect(timers.waiting.size).toBe(0);
});
