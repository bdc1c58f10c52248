import { RE2JS } from "re2js";
import { describe, expect, test } from "vitest";
import { checkPattern, patternOf } from "../../../mock-server/devices/filters/pattern.ts";
import { patternSize } from "../../../mock-server/devices/filters/pattern-size.ts";
import { checkTerms } from "../../../mock-server/devices/filters/terms.ts";
import { fc } from "../../support/fast-check.ts";

/** The engine adds a few steps of its own at the beginning and the end. */
const OWN_STEPS = 4;

describe("The size of a pattern", () => {
  test.each(["(($*)*){0,9}", "((($*)*)*){0,9}", "((a*)*){0,9}"])("counts stars over nothing: %s", (source) => {
    expect(patternSize(source) + OWN_STEPS).toBeGreaterThanOrEqual(RE2JS.compile(source).programSize());
  });

  test("is not less than what the engine makes of it", () => {
    const atom = fc.constantFrom("a", ".", "\\d", "[a-f]", "[^]x]", "[[:alpha:]_]", "\\{", "^", "$", "é");
    const repeat = fc.constantFrom("", "", "*", "+?", "?", "{3}", "{2,5}", "{0,9}", "{4,}");
    const { pattern } = fc.letrec<{ pattern: string; piece: string }>((tie) => ({
      pattern: fc
        .tuple(fc.array(tie("piece"), { minLength: 1, maxLength: 4 }), fc.constantFrom("", "|"))
        .map(([pieces, glue]) => pieces.join(glue)),
      piece: fc
        .tuple(
          fc.oneof(
            { depthSize: "small" },
            atom,
            tie("pattern").map((inner) => `(${inner})`),
          ),
          repeat,
        )
        .map((parts) => parts.join("")),
    }));
    fc.assert(
      fc.property(pattern, (source) => {
        let engine: RE2JS;
        try {
          engine = RE2JS.compile(source);
        } catch (error) {
          // Not everything that is put together is a pattern.
          expect(error).toMatchObject({ name: "RE2JSSyntaxException" });
          return;
        }
        expect(patternSize(source) + OWN_STEPS).toBeGreaterThanOrEqual(engine.programSize());
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    "^6\\.(1|6)\\..*-rt$",
    "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    "^([0-9A-F]{2}:){5}[0-9A-F]{2}$",
    "^(25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(\\.(25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})){3}$",
    "^[0-9a-f]{64}$",
    "^v?[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.-]+)?(\\+[0-9A-Za-z.-]+)?$",
    `(${Array.from({ length: 60 }, (_, at) => `site${at}`).join("|")})`,
  ])("leaves room for what people write: %s", (source) => {
    expect(() => checkPattern(source, "value")).not.toThrow();
    expect(patternOf(source)).toBeDefined();
  });

  test.each([
    "(x?y?){1000}".repeat(80),
    "(x?y?){1000}",
    "a{501}",
    "((a{1,30}){1,30})",
    "([a-z]{1,999}z){1}",
    `(${"a".repeat(600)})`,
  ])("that would keep everybody waiting is refused before anything is made of it: %s", (source) => {
    expect(() => checkPattern(source, "filters.0.value")).toThrow(/^filters\.0\.value: (has \d+ steps|a pattern has)/);
  });

  test("counts for each of a few conditions, not of many", () => {
    const term = { scope: "inventory", attribute: "a", type: "$regex", value: "a" };
    expect(checkTerms(Array(10).fill(term), "terms")).toHaveLength(10);
    expect(() => checkTerms(Array(11).fill(term), "terms")).toThrow("terms: at most 10 with $regex, not 11");
  });

  test("the beginning of a long text is looked at, and no more", () => {
    expect(patternOf("z").isIn(`${"a".repeat(4095)}z`)).toBe(true);
    expect(patternOf("z").isIn(`${"a".repeat(4096)}z`)).toBe(false);
  });
});
