import { expect, test } from "vitest";
import { pipelined } from "../../../mock-server/storage/pipelined.ts";

test("All statements have settled when the error of the first failed one is thrown", async () => {
  let ended = false;
  const slow = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    ended = true;
    throw new Error("the first");
  };
  await expect(pipelined([slow(), Promise.reject(new Error("the second"))])).rejects.toThrow("the first");
  expect(ended).toBe(true);
  expect(await pipelined([Promise.resolve(1), "two", undefined])).toEqual([1, "two", undefined]);
});
