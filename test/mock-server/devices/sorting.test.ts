import { expect, test } from "vitest";
import { compareKeys, FirstInOrder, type SortKey } from "../../../mock-server/devices/filters/sorting.ts";
import { fc } from "../../support/fast-check.ts";

test("of any number of devices the first in order are those that sorting all of them would show", () => {
  const values = fc.array(fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined }), {
    minLength: 1000,
    maxLength: 5000,
    size: "max",
  });
  fc.assert(
    fc.property(values, fc.nat(1500), fc.constantFrom("asc" as const, "desc" as const), (all, count, order) => {
      const sort = [{ scope: "inventory", attribute: "cpus", order }] as const;
      const keys = all.map((value, index): SortKey => ({ id: String(index), values: [value] }));
      const first = new FirstInOrder(sort, count);
      for (const key of keys) first.add(key);
      expect(first.keys()).toEqual(keys.toSorted(compareKeys(sort)).slice(0, count));
      expect(first.total).toBe(keys.length);
    }),
    { numRuns: 30 },
  );
});
