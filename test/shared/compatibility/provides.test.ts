import { applyProvides } from "@upkeep/shared/compatibility";
import { expect, test } from "vitest";
import { matchesPattern } from "../../../shared/compatibility/provides.ts";
import { fc } from "../../support/fast-check.ts";

const before = {
  artifact_name: "old",
  artifact_group: "beta",
  "rootfs-image.version": "1",
  "rootfs-image.checksum": "aa",
  "app.version": "7",
};

test("neither provides nor clears: everything but the new name is forgotten", () => {
  expect(applyProvides(before, { artifactName: "new" })).toEqual({ artifact_name: "new" });
});

test("only provides: they replace everything", () => {
  expect(applyProvides(before, { artifactName: "new", provides: { "app.version": "8" } })).toEqual({
    artifact_name: "new",
    "app.version": "8",
  });
});

test("only clears: what matches is forgotten", () => {
  expect(applyProvides(before, { artifactName: "new", clears: ["rootfs-image.*", "artifact_group"] })).toEqual({
    artifact_name: "new",
    "app.version": "7",
  });
});

test("both: forget what matches, then add", () => {
  const change = { artifactName: "new", provides: { "rootfs-image.version": "2" }, clears: ["rootfs-image.*"] };
  expect(applyProvides(before, change)).toEqual({
    artifact_name: "new",
    artifact_group: "beta",
    "app.version": "7",
    "rootfs-image.version": "2",
  });
});

test("a new group replaces the old one, also when clears names it", () => {
  expect(
    applyProvides(before, { artifactName: "new", artifactGroup: "stable", clears: ["artifact_group"] }),
  ).toMatchObject({
    artifact_group: "stable",
  });
});

test.each([
  ["a", "a", true],
  ["a", "aba", false],
  ["*", "", true],
  ["*suffix", "x", false],
  ["*suffix", "a suffix", true],
  ["ab*ba", "aba", false],
  ["ab*ba", "abba", true],
  ["a*b*c", "a-b-b-c", true],
  ["a*b*c", "acb", false],
  ["a.c", "abc", false],
])("pattern %j against key %j: %j", (pattern, key, expected) => {
  expect(matchesPattern(pattern, key)).toBe(expected);
});

test("patterns mean what the same regular expression means", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", ".", "*"), maxLength: 6 });
  fc.assert(
    fc.property(pattern, text, (wild, key) => {
      const oracle = new RegExp(`^${wild.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
      expect(matchesPattern(wild, key)).toBe(oracle.test(key));
    }),
    { numRuns: 2000 },
  );
});
