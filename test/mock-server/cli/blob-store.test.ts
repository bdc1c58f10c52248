import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@upkeep/shared/logging";
import { expect, onTestFinished, test } from "vitest";
import { openBlobs, sweep } from "../../../mock-server/cli/blob-store.ts";
import { artifact, openTestDomain } from "../domain-fixture.ts";

const HOUR_MS = 3_600_000;
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
  const open = () => openBlobs(system, { directory, shared }, domain, logger);
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
    names: () => readdirSync(join(directory, "artifacts")).sort(),
    sweep: () => sweep(system, blobs, domain, logger),
  };
}

test("what was uploaded and never completed is swept away after a day; what belongs to an artifact never", async () => {
  const { sweep: sweepOnce, names, lines } = await setup(false);
  await sweepOnce();
  expect(names()).toEqual([KNOWN, WAITING]);
  expect(lines.join("")).toContain(ABANDONED);
});

test("at its start a server that is alone removes everything that belongs to no artifact, one of several only what is old", async () => {
  const alone = await setup(false);
  await alone.open();
  expect(alone.names()).toEqual([KNOWN]);
  const shared = await setup(true);
  await shared.open();
  expect(shared.names()).toEqual([KNOWN, WAITING]);
});
