import { join } from "node:path";
import { expect, test } from "vitest";
import { startProgram } from "../../../support/program.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../../mock-server/bin/upkeep-server.mjs");

test("phases that a simulated fleet is too small for are told in a line", async () => {
  const fleet = startProgram(process.execPath, [
    UPKEEP_SERVER,
    ...["fleet", "--simulate", "--devices", "20", "--days", "1", "--phases", "1%,rest@1h"],
  ]);
  expect(await fleet.ended).toBe(1);
  expect(fleet.output().trim().split("\n")).toEqual([
    expect.stringMatching(/^upkeep-server: the simulated server refuses: .*zero devices/),
  ]);
});
