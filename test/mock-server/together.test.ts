import { expect, test } from "vitest";
import { together } from "../../mock-server/together.ts";

test("What was begun together has ended when one of it has failed, and the first in order tells why", async () => {
  let ended = false;
  const slow = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    ended = true;
    throw new Error("the first");
  };
  await expect(together([slow(), Promise.reject(new Error("the second"))])).rejects.toThrow("the first");
  expect(ended).toBe(true);
  expect(await together([Promise.resolve(1), "two", undefined])).toEqual([1, "two", undefined]);
});
