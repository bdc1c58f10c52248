import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scenarioJsonSchemaText } from "../../../../mock-server/scenarios/file/index.ts";

const FILE = join(import.meta.dirname, "../../../scenarios/scenario.schema.json");

test("the JSON Schema beside the scenarios is that of the parser (npm run docs writes it)", () => {
  expect(JSON.parse(readFileSync(FILE, "utf8"))).toEqual(JSON.parse(scenarioJsonSchemaText()));
});

test("definitions have names that do not depend on the number of others", () => {
  const { definitions } = JSON.parse(scenarioJsonSchemaText());
  expect(Object.keys(definitions)).toEqual(expect.arrayContaining(["Duration", "Instant", "ModuleCall"]));
  expect(Object.keys(definitions).filter((name) => !/^[A-Z][A-Za-z]+$/.test(name))).toEqual([]);
});

test("editors learn of every part, and what it means", () => {
  const schema = JSON.parse(scenarioJsonSchemaText());
  expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(["fleet", "releases", "faults", "expect"]));
  expect(schema.additionalProperties).toBe(false);
  expect(scenarioJsonSchemaText()).toContain("The connection of a download breaks");
});
