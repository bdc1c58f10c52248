import { DEVICE_DEPLOYMENT_STATUSES, isTerminal, REPORTED_STATUSES } from "@upkeep/shared/protocol";
import { expect, test } from "vitest";
import type { Domain } from "../../../mock-server/domain.ts";
import { DomainError } from "../../../mock-server/errors.ts";
import { fc } from "../../support/fast-check.ts";
import { acceptedDevices, artifact, openTestDomain } from "../domain-fixture.ts";
import { RECORDS_KIND } from "../records-fixture.ts";

const DEVICES = 4;
const RELEASES = 2;
/** Where every statement goes to another process, the same takes longer. */
const RUNS = RECORDS_KIND === "postgres" ? 3 : 25;
const ALL = { page: 1, perPage: 500 };

/** Something that an administrator or a device does; numbers choose among what there is. */
type Operation =
  | { readonly do: "create"; readonly release: number; readonly devices: readonly number[]; readonly force: boolean }
  | { readonly do: "poll"; readonly device: number; readonly runs: number; readonly type: string }
  | { readonly do: "report"; readonly device: number; readonly deployment: number; readonly status: number }
  | { readonly do: "abort"; readonly deployment: number }
  | { readonly do: "abort-device"; readonly device: number }
  | { readonly do: "delete-history"; readonly device: number }
  | { readonly do: "decommission"; readonly device: number };

const device = fc.nat(DEVICES - 1);
const deployment = fc.nat(9);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("create" as const),
      release: fc.nat(RELEASES - 1),
      devices: fc.uniqueArray(device, { minLength: 1 }),
      force: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("poll" as const),
      device,
      runs: fc.nat(RELEASES),
      type: fc.constantFrom("board", "board", "board", "other"),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("report" as const),
      device,
      deployment,
      status: fc.nat(REPORTED_STATUSES.length - 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("abort" as const), deployment }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("abort-device" as const), device }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete-history" as const), device }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("decommission" as const), device }) },
);

/** A server, and what was seen from outside of it. */
class World {
  readonly domain: Domain;
  readonly devices: readonly string[];
  /** In the order of their creation. */
  readonly deployments: string[] = [];
  /** Device deployments that were seen at their end, as `deployment device`, with the end. */
  readonly ended = new Map<string, string>();
  /** The newest deployment (by index) that each device ended itself. */
  readonly newestEnded = new Map<string, number>();

  constructor(domain: Domain, devices: readonly string[]) {
    this.domain = domain;
    this.devices = devices;
  }

  /** Do it; a refusal is an answer like any other. */
  async perform(operation: Operation): Promise<void> {
    try {
      await this.#perform(operation);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
    }
  }

  async #perform(operation: Operation): Promise<void> {
    const deviceId = "device" in operation ? (this.devices[operation.device] ?? "") : "";
    const deploymentId = "deployment" in operation ? (this.deployments[operation.deployment] ?? "none") : "none";
    switch (operation.do) {
      case "create": {
        const id = await this.domain.deployments.create({
          name: "n",
          artifactName: `release-${operation.release}`,
          devices: operation.devices.map((index) => this.devices[index] ?? ""),
          forceInstallation: operation.force,
        });
        this.deployments.push(id);
        return;
      }
      case "poll": {
        const provides = { device_type: operation.type, artifact_name: `release-${operation.runs}` };
        const instructions = await this.domain.deviceSide.next(deviceId, provides);
        if (instructions !== undefined) await this.#checkOffer(deviceId, instructions.deploymentId);
        return;
      }
      case "report":
        return this.domain.deviceSide.report(deviceId, deploymentId, REPORTED_STATUSES[operation.status] ?? "success");
      case "abort":
        return this.domain.deployments.abort(deploymentId);
      case "abort-device":
        return this.domain.deployments.abortDevice(deviceId);
      case "delete-history":
        return this.domain.deployments.deleteHistory(deviceId);
      case "decommission":
        return this.domain.devices.decommission(deviceId);
    }
  }

  async #checkOffer(deviceId: string, deploymentId: string): Promise<void> {
    expect(this.ended.has(`${deploymentId} ${deviceId}`)).toBe(false);
    const offered = this.deployments.indexOf(deploymentId);
    for (const older of this.deployments.slice(0, offered)) {
      if (!(await this.domain.deployments.targets(older)).includes(deviceId)) continue;
      expect(this.ended.get(`${older} ${deviceId}`), "an older deployment of the device is still open").toBeDefined();
    }
    expect(offered).toBeGreaterThan(this.newestEnded.get(deviceId) ?? -1);
  }

  async check(): Promise<void> {
    const { items } = await this.domain.deployments.list({}, "asc", ALL);
    // Two that were created at the same time may have answered the other way round.
    expect(new Set(items.map(({ id }) => id))).toEqual(new Set(this.deployments));
    this.deployments.splice(0, this.deployments.length, ...items.map(({ id }) => id));
    for (const [index, { id, statistics, targetCount, status, finishedMs }] of items.entries()) {
      const counts = Object.values(statistics);
      expect(Math.min(...counts)).toBeGreaterThanOrEqual(0);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(targetCount);
      const shown = (await this.domain.deployments.devices(id, undefined)).items;
      for (const one of DEVICE_DEPLOYMENT_STATUSES.filter((status) => status !== "pending")) {
        expect(statistics[one]).toBe(shown.filter((row) => row.status === one).length);
      }
      const ended = shown.filter((row) => isTerminal(row.status));
      expect(status === "finished").toBe(ended.length === targetCount);
      expect(finishedMs !== undefined).toBe(status === "finished");
      for (const row of shown) {
        const key = `${id} ${row.deviceId}`;
        if (this.ended.has(key)) expect(row.status).toBe(this.ended.get(key));
        expect(row.finishedMs !== undefined).toBe(isTerminal(row.status));
        if (!isTerminal(row.status)) continue;
        this.ended.set(key, row.status);
        if (row.status === "aborted" || row.status === "decommissioned") continue;
        this.newestEnded.set(row.deviceId, Math.max(index, this.newestEnded.get(row.deviceId) ?? -1));
      }
    }
  }
}

async function newWorld(): Promise<World> {
  const { domain } = await openTestDomain({ autoAccept: true });
  for (let release = 0; release < RELEASES; release += 1) {
    await domain.artifacts.insert(
      artifact({ id: `a${release}`, name: `release-${release}`, deviceTypes: ["board"], sizeBytes: 1 }),
    );
  }
  return new World(domain, await acceptedDevices(domain, DEVICES));
}

test("After whatever happens one after the other: counters are exact, the order holds, an end is an end", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 10, maxLength: 60, size: "max" }), async (operations) => {
      const world = await newWorld();
      try {
        for (const one of operations) {
          await world.perform(one);
          await world.check();
        }
      } finally {
        await world.domain.close();
      }
    }),
    { numRuns: RUNS },
  );
});

test("After whatever happens at the same time: counters are exact, an end is an end", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(operation, { minLength: 2, maxLength: 10 }), { minLength: 5, maxLength: 12, size: "max" }),
      async (rounds) => {
        const world = await newWorld();
        try {
          for (const round of rounds) {
            await Promise.all(round.filter(({ do: what }) => what !== "poll").map((one) => world.perform(one)));
            await world.check();
            for (const one of round.filter(({ do: what }) => what === "poll")) {
              await world.perform(one);
              await world.check();
            }
          }
        } finally {
          await world.domain.close();
        }
      },
    ),
    { numRuns: RUNS },
  );
});
