import { expect, test } from "vitest";
import { literalPrefix } from "../../../mock-server/devices/filters/literal-prefix.ts";

test.each([
  ["^ab", "ab", true],
  ["^ab$", "ab", false],
  ["^", "", true],
  ["", "", false],
  ["ab", "", false],
  ["^ab*", "a", false],
  ["^ab?c", "a", false],
  ["^ab{0,2}", "a", false],
  ["^ab+", "ab", false],
  ["^a|b", "", false],
  ["^a\\|b", "", false],
  ["^a\\.b", "a.b", true],
  ["^a\\d", "a", false],
  ["^a.b", "a", false],
  ["^(?i)ab", "", false],
  ["(?i)^ab", "", false],
  ["^\\Qa.b\\E", "", false],
  ["^02:00", "02:00", true],
  ["^é\u{10ffff}", "é", false],
  ["^\u{1d4b3}?x", "", false],
])("Each match of %j begins with %j", (pattern, prefix, isAll) => {
  expect(literalPrefix(pattern)).toEqual({ prefix, isAll });
});
