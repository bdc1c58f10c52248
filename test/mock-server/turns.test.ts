import { expect, test } from "vitest";
import { Turns } from "../../mock-server/turns.ts";

test("So many have their turn at once, and the others in the order in which they came", async () => {
  const turns = new Turns(2);
  const entered: number[] = [];
  const enter = async (one: number): Promise<void> => {
    await turns.wait();
    entered.push(one);
  };
  const all = [1, 2, 3, 4].map(enter);
  await Promise.all(all.slice(0, 2));
  expect(entered).toEqual([1, 2]);
  turns.leave();
  await all[2];
  expect(entered).toEqual([1, 2, 3]);
  turns.leave();
  await all[3];
  turns.leave();
  turns.leave();
  expect([turns.wait(), turns.wait()]).toEqual([undefined, undefined]);
});

test("Whoever gives up waiting takes nobody's turn", async () => {
  const turns = new Turns(1);
  await turns.wait();
  const giving = new AbortController();
  const first = turns.wait(giving.signal);
  const second = turns.wait();
  giving.abort(new Error("no more"));
  await expect(first).rejects.toThrow("no more");
  turns.leave();
  await second;
  expect(() => turns.wait(giving.signal)).toThrow("no more");
});
