import { expect, inject, onTestFinished, test } from "vitest";
import { type Domain, openDomain } from "../../../mock-server/domain.ts";
import { acceptedDevices, artifact, TestSystem } from "../domain-fixture.ts";
import { makeRecords, RECORDS_KIND } from "../records-fixture.ts";
import { HOUR_MS } from "../specification/fleet.ts";

const ROUND_MS = 30_000;

/** Servers that share the records, and their clock, with a device that has its instructions. */
async function sharing(count: number) {
  const { location, remove } = await makeRecords(RECORDS_KIND, inject("postgresUrl"));
  onTestFinished(remove);
  const systems: TestSystem[] = [];
  const open = async (): Promise<Domain> => {
    const system = new TestSystem();
    // Processes that share records do not share their chance.
    for (let drawn = 0; drawn <= systems.length * 50; drawn += 1) system.random.uuid();
    system.nowMs = systems[0]?.nowMs ?? system.nowMs;
    systems.push(system);
    const domain = await openDomain({ system, storage: location, options: { autoAccept: true } });
    onTestFinished(() => domain.close());
    return domain;
  };
  const servers: Domain[] = [];
  for (let index = 0; index < count; index += 1) servers.push(await open());
  const [first] = servers as [Domain];
  const [deviceId = ""] = await acceptedDevices(first, 1);
  await first.artifacts.insert(artifact({ id: "a", name: "release-1" }));
  const rollout = { artifactName: "release-1", allDevices: true, silentAfterMs: HOUR_MS };
  await first.deployments.create({ name: "n", ...rollout });
  await first.deviceSide.next(deviceId, { device_type: "raspberrypi4", artifact_name: "factory" });
  /** Rounds of these servers until so much time has passed. @returns How many devices have failed. */
  const pass = async (ms: number, ...alive: readonly Domain[]): Promise<number> => {
    let failed = 0;
    for (let passed = 0; passed < ms; passed += ROUND_MS) {
      for (const system of systems) system.nowMs += ROUND_MS;
      for (const one of alive) failed += await one.deployments.failSilent();
    }
    return failed;
  };
  return { servers: servers as [Domain, Domain], systems, open, pass };
}

// Only PostgreSQL is shared.
test.runIf(RECORDS_KIND === "postgres")(
  "A server that starts beside one that hears takes over how long that has heard",
  async () => {
    const { servers, open, pass } = await sharing(1);
    const [a] = servers;
    expect(await pass(HOUR_MS / 2, a)).toBe(0);
    const b = await open();
    expect(await pass(2 * ROUND_MS, a, b)).toBe(0);
    // The first one ends: the other has its hour.
    expect(await pass(HOUR_MS / 2 - 3 * ROUND_MS, b)).toBe(0);
    expect(await pass(ROUND_MS, b)).toBe(1);
  },
);

test.runIf(RECORDS_KIND === "postgres")(
  "A server that starts after all others have ended gives each device its full time",
  async () => {
    const { servers, open, pass } = await sharing(2);
    expect(await pass(HOUR_MS / 2, ...servers)).toBe(0);
    const c = await open();
    expect(await pass(HOUR_MS - ROUND_MS, c)).toBe(0);
    expect(await pass(ROUND_MS, c)).toBe(1);
  },
);

test.runIf(RECORDS_KIND === "postgres")("Servers whose clocks disagree say so, and fail no device", async () => {
  const { servers, systems, pass } = await sharing(2);
  const [a, b] = servers;
  expect(await pass(4 * ROUND_MS, a, b)).toBe(0);
  systems[1]?.jump(2 * HOUR_MS);
  await expect(b.deployments.failSilent()).resolves.toBe(0);
  const said: string[] = [];
  for (let passed = 0; passed <= HOUR_MS; passed += ROUND_MS) {
    for (const system of systems) system.nowMs += ROUND_MS;
    for (const one of [a, b]) {
      await one.deployments.failSilent().catch((error: unknown) => {
        said.push(String(error));
      });
    }
  }
  expect(said.join()).toContain("a clock that differs by more than 60 s");
  expect((await a.deployments.list({}, "asc", { page: 1, perPage: 1 })).items[0]?.statistics.failure).toBe(0);
});
