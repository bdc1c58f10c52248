import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { batchPerTick } from "../../../mock-server/system/batch-per-tick.ts";

test("What comes in one turn of the event loop is handed on together, in its order, and what comes later later", async () => {
  const taken: (readonly number[])[] = [];
  const gather = batchPerTick<number>((all) => taken.push(all));
  gather(1);
  await Promise.resolve();
  process.nextTick(() => gather(2));
  await turn();
  gather(3);
  await turn();
  expect(taken).toEqual([[1, 2], [3]]);
});

test("What is given while something is handed on is handed on after it", async () => {
  const taken: (readonly number[])[] = [];
  const gather = batchPerTick<number>((all) => {
    taken.push(all);
    if (all.includes(1)) gather(2);
  });
  gather(1);
  await turn();
  await turn();
  expect(taken).toEqual([[1], [2]]);
});
