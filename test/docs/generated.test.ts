import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { KEYS } from "../../agent/config/keys.ts";
import { STATE_NAMES } from "../../agent/update/states.ts";
import { apiTypes } from "../../mock-server/api-types/generate.ts";
import { API_TYPES, apiDocument } from "./api-document.ts";
import { GENERATED, regenerated } from "./generated.ts";

const README = readFileSync(join(import.meta.dirname, "../../agent/README.md"), "utf8");

describe("the README of the agent", () => {
  it.each(Object.keys(GENERATED))("has its part %s as the code says it (else: npm run docs)", (name) => {
    const part = (text: string) => text.split(`<!-- ${name}:begin -->`)[1]?.split(`<!-- ${name}:end -->`)[0];
    expect(part(README)).toBe(part(regenerated(README)));
  });

  it("draws every state, and lists every key", () => {
    for (const state of STATE_NAMES) expect(README).toContain(`\n  ${state} --> `);
    for (const key of Object.keys(KEYS)) expect(README).toContain(`| \`${key}\``);
  });
});

it("the types of the API's clients are those of the API document (else: npm run docs)", async () => {
  expect(await apiTypes(await apiDocument())).toBe(readFileSync(API_TYPES, "utf8"));
});
