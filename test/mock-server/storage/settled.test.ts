import { expect, test } from "vitest";
import { settled } from "../../../mock-server/storage/engines/settled.ts";

test("All that was begun has settled when the error of the first failed one is thrown", async () => {
  let ended = false;
  const slow = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    ended = true;
    throw new Error("the first");
  };
  await expect(settled([slow(), Promise.reject(new Error("the second"))])).rejects.toThrow("the first");
  expect(ended).toBe(true);
  expect(await settled([Promise.resolve(1), "two", undefined])).toEqual([1, "two", undefined]);
});
