import { describe, expect, test } from "vitest";
import { type AttributeValue, matchesAll } from "../../../mock-server/devices/filters/match.ts";
import { checkTerms, type FilterOperator, type FilterValue } from "../../../mock-server/devices/filters/terms.ts";

/** The names of the devices that meet a condition on their attribute `a`. */
function matching(
  type: FilterOperator,
  value: FilterValue,
  devices: Readonly<Record<string, AttributeValue | undefined>>,
) {
  const terms = checkTerms([{ scope: "inventory", attribute: "a", type, value }], "terms");
  return Object.entries(devices)
    .filter(([, actual]) =>
      matchesAll(terms, (scope, name) => (scope === "inventory" && name === "a" ? actual : undefined)),
    )
    .map(([name]) => name);
}

describe("A condition", () => {
  const KINDS = { text: "5", number: 5, list: ["5", "x"], numbers: [4, 5], empty: [], none: undefined } as const;

  test("of equality is met by a list with such an element, and never across types", () => {
    expect(matching("$eq", "5", KINDS)).toEqual(["text", "list"]);
    expect(matching("$eq", 5, KINDS)).toEqual(["number", "numbers"]);
    expect(matching("$eq", ["5", "x"], KINDS)).toEqual(["list"]);
    expect(matching("$in", [5, "x"], KINDS)).toEqual(["number", "list", "numbers"]);
  });

  test("of inequality is met by all others, those without the attribute among them", () => {
    expect(matching("$ne", "5", KINDS)).toEqual(["number", "numbers", "empty", "none"]);
    expect(matching("$nin", [5, "x"], KINDS)).toEqual(["text", "empty", "none"]);
  });

  test("of order is met within one type only", () => {
    const devices = { four: 4, five: 5, six: 6, text: "6", list: [1, 9], none: undefined };
    expect(matching("$gt", 5, devices)).toEqual(["six", "list"]);
    expect(matching("$gte", 5, devices)).toEqual(["five", "six", "list"]);
    expect(matching("$lt", 5, devices)).toEqual(["four", "list"]);
    expect(matching("$lte", 5, devices)).toEqual(["four", "five", "list"]);
    expect(matching("$gt", "5", devices)).toEqual(["text"]);
  });

  test("of order compares texts by their bytes", () => {
    const devices = { upper: "Z", lower: "a", beyond: "\u{1F600}", accent: "\uFF5E" };
    expect(matching("$gt", "Z", devices)).toEqual(["lower", "beyond", "accent"]);
    expect(matching("$gt", "\uFF5E", devices)).toEqual(["beyond"]);
  });

  test("compares timestamps as instants, whatever their notation", () => {
    const devices = { a: "2027-01-01T00:00:00Z", b: "2027-01-01T02:00:00+02:00", c: "2027-01-01T00:00:00.5Z" };
    expect(matching("$eq", "2027-01-01T00:00:00.000Z", devices)).toEqual(["a", "b"]);
    expect(matching("$gt", "2027-01-01T00:00:00Z", devices)).toEqual(["c"]);
    // A day that does not exist is no timestamp, so it is a text.
    const days = { a: "2027-02-30T00:00:00Z", b: "2027-03-02T00:00:00Z" };
    expect(matching("$eq", "2027-03-02T00:00:00Z", days)).toEqual(["b"]);
  });

  test("of existence is met by an attribute of any value, or by none", () => {
    expect(matching("$exists", true, KINDS)).toEqual(["text", "number", "list", "numbers", "empty"]);
    expect(matching("$exists", false, KINDS)).toEqual(["none"]);
  });

  test("of a pattern is met by texts in which it is found anywhere", () => {
    const devices = { a: "v1.2.3", b: "V1.2", list: ["x", "v1.9"], number: 12, none: undefined };
    expect(matching("$regex", "v1\\.[0-9]", devices)).toEqual(["a", "list"]);
    expect(matching("$regex", "^(?i)V1\\.2$", devices)).toEqual(["b"]);
    expect(matching("$regex", "", devices)).toEqual(["a", "b", "list"]);
  });

  test("of a pattern that would keep others busy for ever is decided at once", () => {
    expect(matching("$regex", "^(a+)+$", { long: `${"a".repeat(4000)}!` })).toEqual([]);
  });

  test.each([
    [{ scope: "inventory", attribute: "a", type: "$regex", value: "(" }, "terms.0.value: is no regular expression"],
    [
      { scope: "inventory", attribute: "a", type: "$regex", value: "(a)\\1" },
      "terms.0.value: is no regular expression",
    ],
    [{ scope: "inventory", attribute: "a", type: "$regex", value: 5 }, "$regex takes a text"],
    [{ scope: "inventory", attribute: "a", type: "$in", value: "x" }, "$in takes a list"],
    [{ scope: "inventory", attribute: "a", type: "$nin", value: [[]] }, "$nin takes a list"],
    [{ scope: "inventory", attribute: "a", type: "$exists", value: "yes" }, "$exists takes true or false"],
    [{ scope: "inventory", attribute: "a", type: "$eq", value: {} }, "must be a text, a number, or a list"],
    [{ scope: "inventory", attribute: "a", type: "$eq" }, "terms.0.value: cannot be blank"],
    [{ scope: "inventory", attribute: "a", type: "$where", value: "1" }, "terms.0.type: must be one of $eq"],
    [{ scope: "other", attribute: "a", type: "$eq", value: "1" }, "terms.0.scope: must be one of identity"],
    [{ scope: "inventory", attribute: "", type: "$eq", value: "1" }, "terms.0.attribute: cannot be blank"],
  ])("is refused: %j", (term, message) => {
    expect(() => checkTerms([term], "terms")).toThrow(message);
  });
});
