import { expect, test } from "vitest";
import { Semaphore } from "../../../mock-server/system/semaphore.ts";

test("Permits are granted in the order of the requests", async () => {
  const semaphore = new Semaphore(2);
  const entered: number[] = [];
  const enter = async (one: number): Promise<void> => {
    await semaphore.acquire();
    entered.push(one);
  };
  const all = [1, 2, 3, 4].map(enter);
  await Promise.all(all.slice(0, 2));
  expect(entered).toEqual([1, 2]);
  semaphore.release();
  await all[2];
  expect(entered).toEqual([1, 2, 3]);
  semaphore.release();
  await all[3];
  semaphore.release();
  semaphore.release();
  expect([semaphore.acquire(), semaphore.acquire()]).toEqual([undefined, undefined]);
});

test("An aborted request takes no permit", async () => {
  const semaphore = new Semaphore(1);
  await semaphore.acquire();
  const controller = new AbortController();
  const first = semaphore.acquire(controller.signal);
  const second = semaphore.acquire();
  controller.abort(new Error("no more"));
  await expect(first).rejects.toThrow("no more");
  semaphore.release();
  await second;
  expect(() => semaphore.acquire(controller.signal)).toThrow("no more");
});
