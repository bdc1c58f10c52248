import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SENTENCES } from "./sentences.ts";

/** Numbers at the beginning of the names of tests, such as `"1.1, 1.3 …"`. */
async function shown(): Promise<Map<string, string[]>> {
  const files = new Map<string, string[]>();
  for (const name of await readdir(import.meta.dirname)) {
    if (!name.endsWith(".test.ts") || name.startsWith("00-")) continue;
    const source = await readFile(join(import.meta.dirname, name), "utf8");
    for (const [, numbers = ""] of source.matchAll(/\btest(?:\.each\([\s\S]*?\))?\(\s*["`]((?:\d+\.\d+(?:, )?)+) /g)) {
      for (const number of numbers.split(", ")) files.set(number, [...(files.get(number) ?? []), name]);
    }
  }
  return files;
}

describe("Of the sentences of the specification", () => {
  test("none is without a test, and no test shows one that is not there", async () => {
    const numbers = [...(await shown()).keys()];
    expect(new Set(numbers)).toEqual(new Set(Object.keys(SENTENCES)));
  });

  test("those about the console are shown through the API", async () => {
    const files = await shown();
    const console = Object.entries(SENTENCES).filter(([, sentence]) => sentence.console === true);
    expect(console.map(([number]) => number)).toEqual(["2.2", "3.1", "3.2", "6.6"]);
    for (const [number] of console) expect(files.get(number), number).toContain("07-through-the-api.test.ts");
  });

  test("the numbers have no gaps", () => {
    const sections = new Map<number, number[]>();
    for (const number of Object.keys(SENTENCES)) {
      const [section = 0, sentence = 0] = number.split(".").map(Number);
      sections.set(section, [...(sections.get(section) ?? []), sentence]);
    }
    expect([...sections.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    for (const sentences of sections.values()) expect(sentences).toEqual(sentences.map((_, index) => index + 1));
  });
});
