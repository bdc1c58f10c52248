import { expect, test } from "vitest";
import { afterPrefix, isCut, scalarKey } from "../../../mock-server/storage/attribute-keys.ts";

/** As the index orders keys, and PostgreSQL texts. */
const byBytes = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other));

test("keys keep the order of texts with a NUL, which no key has; equal keys are marked", () => {
  const texts = ["c", "c\0", "c\0d", "c\u0001", "c\u0001d", "c\u0002"];
  const keys = texts.map(scalarKey);
  expect(keys.join("")).not.toContain("\0");
  expect([...keys].sort(byBytes)).toEqual(keys);
  for (const [index, key] of keys.entries())
    if (keys.indexOf(key) !== keys.lastIndexOf(key)) expect(isCut(texts[index] ?? "")).toBe(true);
});

test("there is no text above all texts that begin with the last character", () => {
  expect(afterPrefix("\u{10ffff}\u{10ffff}")).toBeUndefined();
  expect(afterPrefix("a\u{10ffff}")).toBe("b");
  expect(afterPrefix("\ud7ff")).toBe("\ue000");
});
