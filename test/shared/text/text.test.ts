import { createLogger } from "@upkeep/shared/logging";
import { harmfulCharacter, jsonShape, printable, printableLines, wantsColours, wellFormed } from "@upkeep/shared/text";
import { describe, expect, it } from "vitest";
import { fc } from "../../support/fast-check.ts";

/** What makes a terminal or a reader of lines believe something else. */
const HARM: readonly [string, string, string][] = [
  ["an escape sequence", "\u001b[2J", "\\u001b[2J"],
  ["a line break", "a\nb\r", "a\\nb\\r"],
  ["an escape sequence of one character", "\u009b2J", "\\u009b2J"],
  ["a next line", "\u0085", "\\u0085"],
  ["a line separator", "\u2028", "\\u2028"],
  ["a direction override", "\u202egnp", "\\u202egnp"],
  ["an isolate", "\u2066x", "\\u2066x"],
  ["half a character", "\ud800", "\\ud800"],
  ["a NUL", "\0", "\\u0000"],
  ["a delete", "\u007f", "\\u007f"],
];

describe("a text from outside", () => {
  it.each(HARM)("is shown escaped and is known as harmful: %s", (_, text, shown) => {
    expect(printable(text)).toBe(shown);
    expect(harmfulCharacter(text)).toMatch(/^U\+[0-9A-F]{4}$/);
    expect(printableLines(`${text}\n`)).toBe(text.includes("\n") ? `a\nb\\r\n` : `${shown}\n`);
  });

  it("stays as it is where it does no harm, and is harmless afterwards in any case", () => {
    for (const text of ["", "release 7", "größer", "名前", "👩‍🔬", "a\\nb", "עברית"])
      expect(printable(text)).toBe(text);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(harmfulCharacter(printable(text))).toBeUndefined();
        expect(printable(printable(text))).toBe(printable(text));
      }),
    );
  });

  it("within JSON means the same after it was made printable", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(JSON.parse(printableLines(JSON.stringify({ text }, undefined, 2)))).toEqual({ text });
      }),
    );
  });

  it("can be carried by UTF-8 once it is well formed", () => {
    expect(wellFormed("a\ud800b👍")).toBe("a\ufffdb👍");
  });

  it.each(["human", "plain", "journal"] as const)("is escaped in the log: %s", (format) => {
    const lines: string[] = [];
    const log = createLogger({ level: "info", format, write: (line) => lines.push(line), now: () => 0 });
    log.warning("name \u001b[31m\n<0>forged", { name: "\u009b2J\u202e" });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("name \\u001b[31m\\n<0>forged name=");
    expect(lines[0]).toContain("\\u009b2J\\u202e");
    expect(lines[0]?.split("\n")).toHaveLength(2);
  });
});

it("the shape of JSON is known without parsing it", () => {
  expect(jsonShape(Buffer.from('{"a":[1,2,{"b":"[[,"}],"c\\"{":0}'))).toEqual({ depth: 3, separators: 3 });
});

it("colours are for terminals that have them, unless NO_COLOR says no", () => {
  expect(wantsColours({}, true)).toBe(true);
  expect(wantsColours({ NO_COLOR: "", TERM: "xterm" }, true)).toBe(true);
  expect(wantsColours({ NO_COLOR: "0" }, true)).toBe(false);
  expect(wantsColours({ TERM: "dumb" }, true)).toBe(false);
  expect(wantsColours({}, false)).toBe(false);
});
