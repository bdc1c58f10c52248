import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseScenario } from "../../mock-server/scenarios/file/index.ts";
import { handbookText, SCENARIOS, scenarioPaths } from "./handbook.ts";

const textOf = (path: string): string => readFileSync(join(SCENARIOS, path), "utf8");

test("the handbook has every scenario with its reason (npm run docs writes it)", () => {
  expect(textOf("README.md")).toBe(handbookText());
});

test.each(scenarioPaths())("%s can be read, says why in one sentence, and is found by editors", (path) => {
  const text = textOf(path);
  const { why } = parseScenario(text, path);
  expect(why).toMatch(/^\S[^\n]*[.]$/);
  const schema = path.includes("/") ? "../scenario.schema.json" : "./scenario.schema.json";
  expect(text.split("\n")[0]).toBe(`# yaml-language-server: $schema=${schema}`);
});

test("no two scenarios have the same title", () => {
  const titles = scenarioPaths().map((path) => parseScenario(textOf(path), path).scenario);
  expect(titles.filter((title, index) => titles.indexOf(title) < index)).toEqual([]);
});
