// What `upkeep-server try` prints of a deployment, on a machine that is slower than its devices.
import { expect, test } from "vitest";
import { follow } from "../../../mock-server/cli/try/follow.ts";
import { openSystem } from "../../../mock-server/system/index.ts";

test("shows the statuses that were over between two looks", async () => {
  const looks = ["pending", "failure"];
  const operator = {
    progress: async () => new Map([["id", { id: "id", status: looks.shift() ?? "failure", log: true }]]),
    statuses: async () => ["pending", "downloading", "installing", "failure"],
  };
  const printed: string[] = [];
  const stage = {
    system: openSystem(),
    out: { write: (text: string) => void printed.push(text) },
    signal: new AbortController().signal,
  };
  await follow(stage, operator, [], "deployment", new Map([["id", "roof"]]));
  expect(printed.join("").match(/\w+(?=\n)/g)).toEqual(["pending", "downloading", "installing", "failure"]);
});
