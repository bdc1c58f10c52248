import { describe, expect, test } from "vitest";
import * as z from "zod";
import { linkHeader, pagingQuery } from "../../../mock-server/api/paging.ts";
import { validated } from "../../../mock-server/api/validation.ts";

const query = z.object(pagingQuery());

describe("page and per_page", () => {
  test("are 1 and 20 when absent", () => {
    expect(validated(query, {})).toEqual({ page: 1, per_page: 20 });
  });

  test("are taken as they are, the first value of several", () => {
    expect(validated(query, { page: ["3", "4"], per_page: "500" })).toEqual({ page: 3, per_page: 500 });
  });

  test.each(["0", "-1", "1.5", "", "abc", "1e3", " 1"])("page %j is refused", (page) => {
    expect(() => validated(query, { page })).toThrow(`page: invalid page query: ${JSON.stringify(page)}`);
  });

  test.each(["0", "-1", "x"])("per_page %j is refused", (per_page) => {
    expect(() => validated(query, { per_page })).toThrow(
      "invalid per_page query: value must be a non-zero positive integer",
    );
  });

  test("per_page above the limit is refused", () => {
    expect(() => validated(query, { per_page: "501" })).toThrow('parameter "per_page" above limit (max: 500)');
    expect(() => validated(z.object(pagingQuery(20)), { per_page: "21" })).toThrow("above limit (max: 20)");
  });
});

describe("the Link header", () => {
  test("has first and last, and next and prev where there are such pages", () => {
    expect(linkHeader("/a?z=1&b=x%20y&page=2", { page: 2, per_page: 10 }, { total: 35 })).toEqual([
      '</a?b=x+y&page=1&per_page=10&z=1>; rel="first"',
      '</a?b=x+y&page=1&per_page=10&z=1>; rel="prev"',
      '</a?b=x+y&page=3&per_page=10&z=1>; rel="next"',
      '</a?b=x+y&page=4&per_page=10&z=1>; rel="last"',
    ]);
  });

  test("has no next on the last page", () => {
    expect(linkHeader("/a", { page: 4, per_page: 10 }, { total: 40 })).toEqual([
      '</a?page=1&per_page=10>; rel="first"',
      '</a?page=3&per_page=10>; rel="prev"',
      '</a?page=4&per_page=10>; rel="last"',
    ]);
  });

  test("has no last where the total is not told or is 0", () => {
    expect(linkHeader("/a", { page: 1, per_page: 10 }, { more: true })).toEqual([
      '</a?page=1&per_page=10>; rel="first"',
      '</a?page=2&per_page=10>; rel="next"',
    ]);
    expect(linkHeader("/a", { page: 1, per_page: 10 }, { total: 0 })).toEqual(['</a?page=1&per_page=10>; rel="first"']);
  });

  test("keeps a parameter that came several times", () => {
    const [first] = linkHeader("/a?id=2&id=1", { page: 1, per_page: 1 }, {});
    expect(first).toBe('</a?id=2&id=1&page=1&per_page=1>; rel="first"');
  });
});
