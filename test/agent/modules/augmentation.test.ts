import { describe, expect, it } from "vitest";
import { parsePermissions, unpermitted } from "../../../agent/modules/augmentation.ts";

describe("what a module permits to be augmented", () => {
  it("is nothing when it says nothing", () => {
    expect(parsePermissions("\n", "delta")).toEqual({});
    expect(unpermitted({ a: 1 }, {}, undefined, "meta-data")).toBe("meta-data.a");
  });

  it.each([
    ["[]", "it is no object"],
    ["{", "JSON"],
    ['{"scripts": true}', '"scripts" is none of header-info, type-info, meta-data'],
    ['{"meta-data": {"a": {"b": false}}}', "meta-data.a.b is false"],
    ['{"meta-data": {"list": [true, true]}}', "meta-data.list is [true,true]"],
    ['{"meta-data": "yes"}', 'meta-data is "yes"'],
  ])("must be understood: %s is not", (answer, why) => {
    expect(() => parsePermissions(answer, "delta")).toThrow(why);
  });

  const PERMITTED = { "meta-data": { one: true, some: [true], deep: { one: true } } };

  it.each([
    [{ one: 5 }, undefined],
    [{ one: [5] }, "meta-data.one"],
    [{ one: { two: 5 } }, "meta-data.one.two"],
    [{ one: {} }, "meta-data.one"],
    [{ some: ["a", "b"] }, undefined],
    [{ some: [["a"]] }, "meta-data.some"],
    [{ some: "a" }, "meta-data.some"],
    [{ deep: { one: "x" } }, undefined],
    [{ deep: { one: "x", two: "y" } }, "meta-data.deep.two"],
    [{ other: 1 }, "meta-data.other"],
    [{ same: 1 }, undefined],
    [{ same: 2 }, "meta-data.same"],
    [JSON.parse('{"__proto__": 1}'), "meta-data.__proto__"],
    [{ constructor: 1 }, "meta-data.constructor"],
  ])("covers %j: what is not covered is %s", (augmented, found) => {
    const permissions = parsePermissions(JSON.stringify(PERMITTED), "delta");
    expect(unpermitted(augmented, { same: 1 }, permissions["meta-data"], "meta-data")).toBe(found);
  });
});
