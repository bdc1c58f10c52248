import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@upkeep/shared/logging";
import { expect, onTestFinished, test } from "vitest";
import { openArtifactStore } from "../../../mock-server/housekeeping/artifact-store.ts";
import { sweep } from "../../../mock-server/housekeeping/sweeping.ts";
import { artifact, openTestDomain } from "../domain-fixture.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const KNOWN = "0082f4c4-77de-48ec-be72-af837efdca6e";
const WAITING = "1182f4c4-77de-48ec-be72-af837efdca6e";
const ABANDONED = "2282f4c4-77de-48ec-be72-af837efdca6e";

async function setup(shared: boolean) {
  const { domain, system } = await openTestDomain();
  const directory = mkdtempSync(join(tmpdir(), "upkeep-store-"));
  onTestFinished(async () => {
    await domain.close();
    rmSync(directory, { recursive: true });
  });
  await domain.artifacts.insert(artifact({ id: KNOWN }));
  const lines: string[] = [];
  const logger = createLogger({ level: "info", format: "json", write: (line) => lines.push(line), now: () => 0 });
  const open = () => openArtifactStore(system, { directory, shared }, domain, logger);
  const blobs = await open();
  const keep = (name: string, ageMs: number): void => {
    const path = join(directory, "artifacts", name);
    writeFileSync(path, "x");
    const at = (system.nowMs - ageMs) / 1000;
    utimesSync(path, at, at);
  };
  keep(KNOWN, 100 * HOUR_MS);
  keep(WAITING, 23 * HOUR_MS);
  keep(ABANDONED, 25 * HOUR_MS);
  return {
    open,
    lines,
    domain,
    system,
    trash: () => readdirSync(join(directory, "trash")).sort(),
    names: () => readdirSync(join(directory, "artifacts")).sort(),
    sweep: () => sweep(system, blobs, domain, logger),
  };
}

test("what was uploaded and never completed goes into the trash after a day; what belongs to an artifact never", async () => {
  const { sweep: sweepOnce, names, trash, lines } = await setup(false);
  await sweepOnce();
  expect(names()).toEqual([KNOWN, WAITING]);
  expect(trash()).toEqual([`${ABANDONED}.20270101T000000Z`]);
  expect(lines.join("")).toContain(ABANDONED);
});

test("at its start a server that is alone sweeps everything that belongs to no artifact, one of several only what is old", async () => {
  const alone = await setup(false);
  await alone.open();
  expect(alone.names()).toEqual([KNOWN]);
  const shared = await setup(true);
  await shared.open();
  expect(shared.names()).toEqual([KNOWN, WAITING]);
});

test("the trash is emptied after a week, and bytes whose artifact is known again come back from it", async () => {
  const { sweep: sweepOnce, names, trash, domain, system } = await setup(false);
  await sweepOnce();
  system.nowMs += 2 * DAY_MS;
  await sweepOnce();
  expect(trash().map((name) => name.slice(0, 36))).toEqual([WAITING, ABANDONED].sort());
  await domain.artifacts.insert(artifact({ id: WAITING, name: "release-2" }));
  await sweepOnce();
  expect(names()).toEqual([KNOWN, WAITING]);
  system.nowMs += 5 * DAY_MS;
  await sweepOnce();
  expect(trash()).toHaveLength(1);
  system.nowMs += 1000;
  await sweepOnce();
  expect(trash()).toEqual([]);
  expect(names()).toEqual([KNOWN, WAITING]);
});

test("records that have no artifacts sweep nothing", async () => {
  const { sweep: sweepOnce, open, names, domain, lines } = await setup(false);
  await domain.artifacts.delete(KNOWN);
  await sweepOnce();
  await open();
  expect(names()).toEqual([KNOWN, WAITING, ABANDONED]);
  expect(lines.join("")).toContain("the records have no artifacts, so nothing is removed");
});
