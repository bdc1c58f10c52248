import type { Clock, Timers } from "@upkeep/shared/system";
import { expect, test } from "vitest";
import { HearingWatch } from "../../../mock-server/housekeeping/hearing-watch.ts";

/** A machine whose checks come as late as the test says. */
class BusyMachine {
  #nowMs = 0;
  #check: { readonly dueMs: number; readonly action: () => void } | undefined;

  readonly clock: Clock = { now: () => this.#nowMs, monotonic: () => this.#nowMs };
  readonly timers: Timers = {
    after: (delayMs, action) => {
      this.#check = { dueMs: this.#nowMs + delayMs, action };
      return { cancel: () => undefined };
    },
    sleep: () => Promise.reject(new Error("the watch does not sleep")),
  };

  checkLate(byMs: number): void {
    if (this.#check === undefined) throw new Error("no check is set");
    this.#nowMs = this.#check.dueMs + byMs;
    this.#check.action();
  }
}

function watched(isHeld?: () => boolean) {
  const machine = new BusyMachine();
  let restarts = 0;
  const deployments = {
    restartUptime: () => {
      restarts += 1;
    },
  };
  new HearingWatch(deployments, machine, isHeld);
  return { machine, restarts: () => restarts };
}

test("silence counts from the start, and anew after the process has stood still", () => {
  const { machine, restarts } = watched();
  expect(restarts()).toBe(1);
  machine.checkLate(9_000);
  expect(restarts()).toBe(1);
  machine.checkLate(11_000);
  expect(restarts()).toBe(2);
});

test("a machine that is busy for long changes nothing while tests hold the server's clock", () => {
  let held = true;
  const { machine, restarts } = watched(() => held);
  machine.checkLate(60_000);
  expect(restarts()).toBe(1);
  held = false;
  machine.checkLate(60_000);
  expect(restarts()).toBe(2);
});
