import { expect, test } from "vitest";
import { type TimedFile, timesTable } from "./times.ts";

const file = (path: string, seconds: number): TimedFile => ({
  name: `/tree/${path}`,
  startTime: 1000,
  endTime: 1000 + seconds * 1000,
  assertionResults: [{}, {}],
});

test("times are summed by folder, the longest first", () => {
  const files = [
    file("test/agent/update/a.test.ts", 1),
    file("test/mock-server/api/devices/b.test.ts", 3),
    file("test/mock-server/api/c.test.ts", 2),
    file("test/pains.test.ts", 0.2),
  ];
  expect(timesTable(files, "/tree").split("\n").slice(2)).toEqual([
    "| mock-server/api | 2 | 4 | 5 |",
    "| agent/update | 1 | 2 | 1 |",
    "| . | 1 | 2 | 0 |",
    "| **all** | 4 | 8 | 6 |",
  ]);
});
