import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../agent/cli/commands.ts";
import { KEYS } from "../../agent/config/keys.ts";
import { STATE_NAMES } from "../../agent/update/states.ts";
import { apiTypes } from "../../mock-server/api-types/generate.ts";
import { TABLE } from "../../mock-server/ctl/commands.ts";
import { describePeer } from "../interop/peers.ts";
import { API_TYPES, apiDocument } from "./api-document.ts";
import { GENERATED, regenerated } from "./generated.ts";
import { manuals } from "./manuals/manuals.ts";

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

describe("the pages of the manual", () => {
  it("are up to date (else: npm run docs)", async () => {
    for (const [path, text] of await manuals()) expect(readFileSync(path, "utf8"), path).toBe(text);
  });

  it("name every command of upkeepctl and of upkeep", () => {
    const page = (path: string): string => readFileSync(join(import.meta.dirname, "../../systemd", path), "utf8");
    const heads = (text: string): readonly string[] => text.split("\n").filter((line) => line.startsWith(".SS "));
    expect(heads(page("server/upkeepctl.1"))).toHaveLength(TABLE.commands.length);
    expect(heads(page("debian/upkeep.1"))).toHaveLength(COMMANDS.length);
    expect(heads(page("server/upkeep-server.1"))).toContain(".SS upkeep\\-server user passwd <email>");
  });
});

describePeer(["mandoc"], "the pages of the manual, to mandoc", () => {
  it("have neither errors nor warnings", async () => {
    const { status, stdout } = spawnSync("mandoc", ["-T", "lint", "-W", "warning", ...(await manuals()).keys()], {
      encoding: "utf8",
    });
    // Pages without a date are the same whenever they are made.
    expect(stdout.split("\n").filter((line) => line !== "" && !line.includes("missing date"))).toEqual([]);
    expect(status).toBeLessThan(3);
  });
});
