import { expect, test } from "vitest";
import { Exchanges } from "../../../../mock-server/scenarios/real/exchanges.ts";

test("an exchange moves, or waits, or is over; each change is told", async () => {
  let changes = 0;
  const exchanges = new Exchanges(() => {
    changes++;
  });
  const poll = exchanges.begin("poll");
  const download = exchanges.begin("download");
  expect([exchanges.held, exchanges.movingBut(), exchanges.movingBut("download")]).toEqual([0, 2, 1]);
  const { promise, resolve } = withResolvers<string>();
  const waited = poll.held(promise);
  expect([exchanges.held, exchanges.movingBut("download"), changes]).toEqual([1, 0, 1]);
  resolve("passed");
  expect([await waited, exchanges.held, exchanges.movingBut("download"), changes]).toEqual(["passed", 0, 1, 2]);
  poll.end();
  download.end();
  expect([exchanges.held, exchanges.movingBut()]).toEqual([0, 0]);
});

function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((called) => {
    resolve = called;
  });
  return { promise, resolve };
}
