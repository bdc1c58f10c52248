import { join } from "node:path";
import { expect, test } from "vitest";
import { losableKeys, outsideKeyFaults } from "./outside-keys.ts";

test("the workspaces have no object that can lose a key from outside", () => {
  expect(losableKeys(join(import.meta.dirname, "../.."))).toEqual([]);
});

test.each([
  "const A = z.record(z.string(), z.string());",
  "const A = z\n  .record(\n    z.string(), z.unknown());",
  "const A = z.catchall(z.object({}), z.string());",
  "const A = z.object({}).catchall(z.string());",
  "const A = z.object({}).loose();",
  "const all = Object.assign({}, ...objects);",
  "const found: Record<string, string | string[]> = {};",
  "let counts: Record<string, Record<string, number>> = {};",
])("such an object is found: %j", (code) => {
  expect(outsideKeyFaults(`\n${code}\n`)).toEqual([expect.stringMatching(/^[23]: .*__proto__/)]);
});

test.each([
  "const A = z.record(z.enum(STATUSES), z.int());",
  "const A = recordOf(z.string());",
  "const LEVELS: Readonly<Record<string, number>> = { a: 1 };",
  "const A = strict.catchall(z.never());",
])("what has keys of its own is not: %j", (code) => {
  expect(outsideKeyFaults(code)).toEqual([]);
});
