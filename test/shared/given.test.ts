import { given } from "@upkeep/shared/given";
import { expect, test } from "vitest";

test("a property that is undefined is left out; null, false, zero and the empty string stay", () => {
  const kept = given({ none: undefined, nothing: null, no: false, zero: 0, empty: "" });
  expect(Object.keys(kept)).toEqual(["nothing", "no", "zero", "empty"]);
});

test("the result has the type that exactOptionalPropertyTypes asks for", () => {
  const name: string | undefined = ["x"][1];
  const entry: { id: number; name?: string } = given({ id: 1, name });
  expect(entry).toEqual({ id: 1 });
});
