import { DEVICE_DEPLOYMENT_STATUSES, isTerminal, type ReportedStatus } from "@upkeep/shared/protocol";
import { expect, test } from "vitest";
import type { Deployment, Domain, NewDeployment } from "../../../mock-server/domain.ts";
import { DomainError } from "../../../mock-server/errors.ts";
import { fc } from "../../support/fast-check.ts";
import { acceptedDevices, artifact, openTestDomain, type TestSystem } from "../domain-fixture.ts";
import { RECORDS_KIND } from "../records-fixture.ts";

/** A database of its own for each run costs PostgreSQL its time. */
const RUNS = RECORDS_KIND === "postgres" ? 4 : 20;
const DEVICES = 5;
const CHANNELS = ["alpha", "beta"] as const;
const HOUR_MS = 3_600_000;
const PHASES_MAX = 3;
/** More than any fleet of so few devices needs to come to its end. */
const TURNS_MAX = 500;
/** What is said of a device that failed by its silence. */
const SILENT = "the device has fallen silent";
const REPORTS: readonly ReportedStatus[] = ["downloading", "installing", "success", "failure", "failure"];

type Operation =
  | {
      readonly do: "create";
      readonly filter: number;
      readonly phases: number;
      readonly retries: number;
      readonly max: number;
      /** Devices may be silent for so many hours; 0: for ever. */
      readonly silence: number;
    }
  | { readonly do: "poll"; readonly device: number; readonly runs: string }
  | { readonly do: "report"; readonly device: number; readonly status: number }
  | { readonly do: "tell"; readonly device: number; readonly channel: number }
  | { readonly do: "wait" | "look-for-silent" | "outage" }
  /** The server's clock is set: later by so many hours, or earlier. */
  | { readonly do: "jump"; readonly hours: number }
  /** The device takes bytes of a download. */
  | { readonly do: "take"; readonly device: number }
  | { readonly do: "abort" | "finish" | "pause" | "resume"; readonly deployment: number }
  | { readonly do: "abort-device"; readonly device: number }
  | { readonly do: "accept" | "reject" | "decommission"; readonly device: number };

const device = fc.nat(DEVICES - 1);
const deployment = fc.nat(5);
const only = <T extends string>(what: T) => fc.constant(what);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: only("create"),
      filter: fc.nat(CHANNELS.length),
      phases: fc.nat(PHASES_MAX),
      retries: fc.nat(2),
      max: fc.nat(3),
      silence: fc.nat(2),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({ do: only("poll"), device, runs: fc.constantFrom("factory", "factory", "release") }),
  },
  { weight: 12, arbitrary: fc.record({ do: only("report"), device, status: fc.nat(REPORTS.length - 1) }) },
  { weight: 4, arbitrary: fc.record({ do: only("tell"), device, channel: fc.nat(CHANNELS.length - 1) }) },
  { weight: 3, arbitrary: fc.record({ do: only("wait") }) },
  { weight: 3, arbitrary: fc.record({ do: only("look-for-silent") }) },
  { weight: 1, arbitrary: fc.record({ do: only("outage") }) },
  { weight: 1, arbitrary: fc.record({ do: only("jump"), hours: fc.constantFrom(-100, -3, 3, 100) }) },
  { weight: 3, arbitrary: fc.record({ do: only("take"), device }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("abort", "finish", "pause", "resume", "resume"), deployment }),
  },
  { weight: 1, arbitrary: fc.record({ do: only("abort-device"), device }) },
  { weight: 1, arbitrary: fc.record({ do: only("decommission"), device }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("accept", "reject"), device }) },
);

/** Shares of phases, as many as are asked for. */
function phasesFrom(count: number, nowMs: number): NewDeployment["phases"] & object {
  if (count === 0) return [];
  return Array.from({ length: count }, (_, index) => ({
    ...(index < count - 1 ? { batchSize: 40, errorThreshold: 90, successThreshold: 60 } : {}),
    startMs: nowMs + index * HOUR_MS,
  }));
}

/** A server, and what was seen from outside of it. */
class World {
  readonly #domain: Domain;
  readonly #system: TestSystem;
  readonly #devices: readonly string[];
  readonly #filters: readonly string[];
  /** In the order of their creation. */
  readonly #deployments: string[] = [];
  /** What each device was told to install last. */
  readonly #given = new Map<string, string>();
  /** Device deployments that were seen at their end, as `deployment device`. */
  readonly #ended = new Map<string, string>();
  #created = 0;
  /** Time that has passed, whatever the clock says. */
  #passedMs = 0;
  /** When each device was last heard of, and since when all could be heard, in {@link #passedMs}. */
  readonly #heardMs = new Map<string, number>();
  #hearingMs = 0;
  /** When the server last noticed that the clock was set; `undefined`: it has to look first. */
  #noticedMs: number | undefined = 0;
  /** When a deployment was last resumed: from then on a device that waits for its next attempt has its full time. */
  #resumedMs = 0;
  /** The latest that the clock has shown. */
  #latestMs = 0;
  /** One thing happens after the other: what was heard before what is known. */
  readonly #inTurn: boolean;

  private constructor(
    domain: Domain,
    system: TestSystem,
    devices: readonly string[],
    filters: readonly string[],
    inTurn: boolean,
  ) {
    this.#inTurn = inTurn;
    this.#domain = domain;
    this.#system = system;
    this.#devices = devices;
    this.#filters = filters;
  }

  static async open(inTurn: boolean): Promise<World> {
    const { domain, system } = await openTestDomain({ autoAccept: true });
    await domain.artifacts.insert(artifact({ id: "a", name: "release", sizeBytes: 1 }));
    const filters: string[] = [];
    for (const value of CHANNELS) {
      filters.push(
        await domain.filters.create(value, [{ scope: "inventory", attribute: "channel", type: "$eq", value }]),
      );
    }
    const devices = await acceptedDevices(domain, DEVICES);
    for (const [index, id] of devices.entries()) {
      await domain.inventory.replace(id, [{ name: "channel", value: CHANNELS[index % CHANNELS.length] ?? "" }]);
    }
    return new World(domain, system, devices, filters, inTurn);
  }

  close(): Promise<void> {
    return this.#domain.close();
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
    const { deployments, deviceSide, devices, inventory } = this.#domain;
    const deviceId = "device" in operation ? (this.#devices[operation.device] ?? "") : "";
    if (operation.do === "resume") this.#resumedMs = this.#passedMs;
    if (["poll", "report", "take", "tell"].includes(operation.do)) this.#heardMs.set(deviceId, this.#passedMs);
    const deploymentId = "deployment" in operation ? (this.#deployments[operation.deployment] ?? "none") : "none";
    switch (operation.do) {
      case "create": {
        this.#created += 1;
        const filterId = this.#filters[operation.filter];
        const id = await deployments.create({
          name: `n${this.#created}`,
          artifactName: "release",
          ...(filterId === undefined ? { allDevices: true } : { filterId }),
          ...(filterId === undefined || operation.max === 0 ? {} : { maxDevices: operation.max }),
          phases: phasesFrom(operation.phases, this.#system.nowMs),
          retries: operation.retries,
          ...(operation.silence === 0 ? {} : { silentAfterMs: operation.silence * HOUR_MS }),
        });
        this.#deployments.push(id);
        return;
      }
      case "poll": {
        const provides = { device_type: "raspberrypi4", artifact_name: operation.runs };
        const given = await deviceSide.next(deviceId, provides);
        if (given === undefined) return;
        expect(this.#ended.has(`${given.deploymentId} ${deviceId}`), "an ended one is given again").toBe(false);
        this.#given.set(deviceId, given.deploymentId);
        const { items } = await deployments.devices(given.deploymentId, undefined);
        expect(items.map((one) => one.deviceId)).toContain(deviceId);
        return;
      }
      case "report":
        return deviceSide.report(deviceId, this.#given.get(deviceId) ?? "none", REPORTS[operation.status] ?? "success");
      case "tell":
        await inventory.replace(deviceId, [{ name: "channel", value: CHANNELS[operation.channel] ?? "" }]);
        return;
      case "wait":
        this.#system.nowMs += HOUR_MS / 2;
        this.#passedMs += HOUR_MS / 2;
        return;
      case "outage":
        this.#system.nowMs += 10 * HOUR_MS;
        this.#passedMs += 10 * HOUR_MS;
        this.#hearingMs = this.#passedMs;
        return deployments.restartUptime();
      case "jump":
        this.#system.jump(operation.hours * HOUR_MS);
        this.#hearingMs = this.#passedMs;
        this.#noticedMs = undefined;
        return;
      case "take":
        return deviceSide.touch(deviceId);
      case "look-for-silent":
        await deployments.failSilent();
        return await this.#checkSilence();
      case "abort-device":
        return deployments.abortDevice(deviceId);
      case "accept":
        return this.#decide(deviceId, "accepted");
      case "reject":
        return this.#decide(deviceId, "rejected");
      case "decommission":
        return devices.decommission(deviceId);
      default:
        return deployments[operation.do](deploymentId);
    }
  }

  /** Devices that are truly silent have failed, and no others. */
  async #checkSilence(): Promise<void> {
    if (!this.#inTurn) return;
    const { deployments } = this.#domain;
    // A server notices by its next look that its clock was set: at the latest by this one, from which silence counts.
    this.#noticedMs ??= this.#passedMs;
    const { items } = await deployments.list({}, "asc", { page: 1, perPage: 500 });
    for (const { id, silentAfterMs, status, paused } of items) {
      if (silentAfterMs === undefined || status === "finished" || paused !== undefined) continue;
      for (const row of (await deployments.devices(id, undefined)).items) {
        const waits = row.artifact === undefined;
        const sinceMs = Math.max(this.#resumedMs, this.#noticedMs);
        const silentMs = Math.min(this.#silentMs(row.deviceId), this.#passedMs - sinceMs);
        if (!waits && !isTerminal(row.status)) expect(silentMs).toBeLessThan(silentAfterMs);
      }
    }
  }

  /** For how long the device was silent while it could be heard. */
  #silentMs(deviceId: string): number {
    return this.#passedMs - Math.max(this.#heardMs.get(deviceId) ?? 0, this.#hearingMs);
  }

  async #decide(deviceId: string, status: "accepted" | "rejected"): Promise<void> {
    const { authSets } = await this.#domain.devices.get(deviceId);
    for (const { id } of authSets) await this.#domain.devices.setAuthSetStatus(deviceId, id, status);
  }

  /**
   * All devices that are left go on until nobody gets anything any more, whatever somebody has paused is resumed, and so on. In
   * the end no deployment to a list waits for anything: who waits for ever would be found here.
   */
  async settle(): Promise<void> {
    const { deployments } = this.#domain;
    const unfinished = async (): Promise<readonly Deployment[]> => {
      const { items } = await deployments.list({}, "asc", { page: 1, perPage: 500 });
      return items.filter(({ status, dynamic }) => status !== "finished" && !dynamic);
    };
    const toLatestMs = Math.max(this.#latestMs - this.#system.nowMs, 0) + PHASES_MAX * HOUR_MS;
    this.#system.nowMs += toLatestMs;
    this.#passedMs += toLatestMs;
    const left = await this.#domain.devices.list({}, { page: 1, perPage: DEVICES });
    for (const { id } of left.items) await this.#decide(id, "accepted");
    for (let turn = 0; turn < TURNS_MAX; turn += 1) {
      if (await this.#everybodyGoesOn()) continue;
      const { items } = await deployments.list({}, "asc", { page: 1, perPage: 500 });
      const paused = items.filter((one) => one.paused !== undefined && one.status !== "finished");
      if (paused.length === 0) break;
      for (const { id } of paused) await deployments.resume(id);
    }
    expect((await unfinished()).map(({ phases, statistics }) => ({ phases, statistics }))).toEqual([]);
  }

  /** @returns Whether anything has happened. */
  async #everybodyGoesOn(): Promise<boolean> {
    const { deviceSide } = this.#domain;
    let happened = false;
    for (const [index, deviceId] of this.#devices.entries()) {
      try {
        const given = await deviceSide.next(deviceId, { device_type: "raspberrypi4", artifact_name: "factory" });
        if (given !== undefined)
          await deviceSide.report(deviceId, given.deploymentId, index < 2 ? "failure" : "success");
        happened ||= given !== undefined;
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        // It says other things of itself than before, and has failed by that.
        happened ||= error.kind === "conflict";
      }
    }
    return happened;
  }

  async check(): Promise<void> {
    this.#latestMs = Math.max(this.#latestMs, this.#system.nowMs);
    const { items } = await this.#domain.deployments.list({}, "asc", { page: 1, perPage: 500 });
    this.#deployments.splice(0, this.#deployments.length, ...items.map(({ id }) => id));
    for (const deployment of items) await this.#checkOne(deployment);
  }

  /** The changes of status that were written down lead to the counters. */
  async checkTimelines(): Promise<void> {
    const { deployments, insight } = this.#domain;
    const { items } = await deployments.list({}, "asc", { page: 1, perPage: 500 });
    const range = { fromMs: 0, toMs: this.#latestMs + 1, stepMs: this.#latestMs + 1 };
    for (const { id, statistics } of items) {
      const { points } = await insight.progress(id, range);
      const counted = Object.fromEntries(Object.entries(statistics).filter(([, count]) => count > 0));
      expect(points.at(-1)?.counts).toEqual(counted);
    }
  }

  async #checkOne(deployment: Deployment): Promise<void> {
    const { id, statistics, targetCount, deviceCount, dynamic, maxDevices, retries, status, phases } = deployment;
    const counts = Object.values(statistics);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(0);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(targetCount);
    expect(await this.#domain.deployments.targets(id)).toHaveLength(targetCount);
    expect(deviceCount).toBeGreaterThanOrEqual(0);

    const { items: shown } = await this.#domain.deployments.devices(id, undefined);
    for (const one of DEVICE_DEPLOYMENT_STATUSES.filter((name) => name !== "pending")) {
      expect(statistics[one]).toBe(shown.filter((row) => row.status === one).length);
    }
    for (const row of shown) {
      const key = `${id} ${row.deviceId}`;
      if (this.#ended.has(key)) expect(row.status).toBe(this.#ended.get(key));
      if (this.#inTurn && isTerminal(row.status) && !this.#ended.has(key) && row.substate === SILENT)
        expect(this.#silentMs(row.deviceId)).toBeGreaterThanOrEqual(
          deployment.silentAfterMs ?? Number.POSITIVE_INFINITY,
        );
      if (isTerminal(row.status)) this.#ended.set(key, row.status);
      expect(row.attempts).toBeLessThanOrEqual(retries + 1);
      expect(row.failedAttempts.map(({ attempt }) => attempt)).toEqual(
        Array.from({ length: row.attempts - 1 }, (_, index) => index + 1),
      );
    }

    const ended = shown.filter((row) => isTerminal(row.status)).length;
    const admitted = shown.filter((row) => row.artifact !== undefined || row.status === "noartifact").length;
    if (dynamic) {
      expect(status).not.toBe("inprogress");
      if (maxDevices !== undefined && status !== "finished") expect(ended).toBeLessThan(maxDevices);
      if (maxDevices !== undefined) expect(admitted).toBeLessThanOrEqual(maxDevices);
    } else expect(status === "finished").toBe(ended === targetCount);

    if (phases.length === 0) return;
    const taken = phases.reduce((sum, phase) => sum + phase.deviceCount, 0);
    expect(taken).toBe(admitted);
    const begun = phases.filter(({ startMs = 0 }) => startMs <= this.#latestMs);
    const places = begun.reduce((sum, phase) => sum + phase.places, 0);
    if (!dynamic || begun.length < phases.length) expect(taken).toBeLessThanOrEqual(places);
    if (!dynamic) expect(phases.reduce((sum, phase) => sum + phase.places, 0)).toBe(deployment.initialDeviceCount);
  }
}

test("One after the other: counters, places, attempts and ends are exact, and no device waits for ever, in random histories", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 20, maxLength: 70, size: "max" }), async (operations) => {
      const world = await World.open(true);
      try {
        for (const one of operations) {
          await world.perform(one);
          await world.check();
        }
        await world.settle();
        await world.check();
        await world.checkTimelines();
      } finally {
        await world.close();
      }
    }),
    { numRuns: RUNS },
  );
});

test("At the same time: counters, places, attempts and ends are exact, whatever happens", async () => {
  const round = fc.array(operation, { minLength: 4, maxLength: 15 });
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 5, maxLength: 12, size: "max" }), async (rounds) => {
      const world = await World.open(false);
      try {
        for (const one of rounds) {
          await Promise.all(one.map((operation) => world.perform(operation)));
          await world.check();
        }
      } finally {
        await world.close();
      }
    }),
    { numRuns: RUNS },
  );
});
