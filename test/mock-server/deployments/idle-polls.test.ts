import { expect, inject, test } from "vitest";
import { selectDeployment } from "../../../mock-server/deployments/selection/selection.ts";
import { type Domain, openDomain } from "../../../mock-server/domain.ts";
import { DomainError } from "../../../mock-server/errors.ts";
import { Storage } from "../../../mock-server/storage/index.ts";
import { fc } from "../../support/fast-check.ts";
import { artifact, PROVIDES, TestDevice, TestSystem } from "../domain-fixture.ts";
import { makeRecords, RECORDS_KIND } from "../records-fixture.ts";

/** A database of its own for each run costs PostgreSQL its time. */
const RUNS = RECORDS_KIND === "postgres" ? 6 : 25;
const DEVICES = 4;
const CHANNELS = ["alpha", "beta"] as const;
const HOUR_MS = 3_600_000;

const device = fc.nat(DEVICES - 1);
const deployment = fc.nat(4);
const targets = fc.constantFrom("all", "one", "alpha", "beta");
const operation = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant("create" as const), targets, device, fc.boolean(), fc.nat(2)) },
  { weight: 8, arbitrary: fc.tuple(fc.constant("poll" as const), device) },
  { weight: 8, arbitrary: fc.tuple(fc.constantFrom("success", "failure", "installing"), device) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("tell" as const), device, fc.constantFrom(...CHANNELS)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("wait" as const)) },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom("abort", "finish", "pause", "resume"), deployment) },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom("decommission", "reject", "revoke", "log-in", "abort-device"), device),
  },
);
type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never;

interface Known {
  readonly key: TestDevice;
  id: string;
  authSetId: string;
  /** Good until something says otherwise. */
  token: string;
  good: boolean;
  rejected: boolean;
  given: string;
}

/** Servers over the same records, and somebody who looks at these past all of them. */
class World {
  readonly #system: TestSystem;
  readonly #servers: readonly Domain[];
  readonly #storage: Storage;
  readonly #remove: () => Promise<void>;
  readonly #devices: Known[] = [];
  readonly #deployments: string[] = [];
  readonly #filters: string[] = [];
  /** How many polls were answered without a look at the deployments. */
  idle = 0;
  #turn = 0;

  private constructor(system: TestSystem, servers: readonly Domain[], storage: Storage, remove: () => Promise<void>) {
    this.#system = system;
    this.#servers = servers;
    this.#storage = storage;
    this.#remove = remove;
  }

  static async open(): Promise<World> {
    const system = new TestSystem();
    // In memory nobody but its owner could look.
    const { location, remove } =
      RECORDS_KIND === "postgres" ? await makeRecords("postgres", inject("postgresUrl")) : await makeRecords("file");
    const start = () => openDomain({ system, storage: location, options: { autoAccept: true } });
    const servers = [await start(), ...(RECORDS_KIND === "postgres" ? [await start()] : [])];
    const world = new World(system, servers, await Storage.open(location, system.files), remove);
    await world.#fill();
    return world;
  }

  async #fill(): Promise<void> {
    const { artifacts, filters, inventory } = this.#next();
    await artifacts.insert(artifact({ id: "a", name: "release" }));
    for (const value of CHANNELS) {
      const term = { scope: "inventory", attribute: "channel", type: "$eq", value } as const;
      this.#filters.push(await filters.create(value, [term]));
    }
    for (let index = 0; index < DEVICES; index += 1) {
      const key = new TestDevice(JSON.stringify({ mac: `02:00:00:00:00:0${index}` }));
      const one: Known = { key, id: "", authSetId: "", token: "", good: false, rejected: false, given: "none" };
      this.#devices.push(one);
      await this.#logIn(one);
      await inventory.replace(one.id, [{ name: "channel", value: CHANNELS[index % 2] ?? "" }]);
    }
  }

  /** Each is asked in its turn: what one does, the others know. */
  #next(): Domain {
    this.#turn += 1;
    const server = this.#servers[this.#turn % this.#servers.length];
    if (server === undefined) throw new Error("there is no server");
    return server;
  }

  async close(): Promise<void> {
    for (const server of this.#servers) await server.close();
    await this.#storage.close();
    await this.#remove();
  }

  async #logIn(one: Known): Promise<void> {
    const { authentication } = this.#next();
    one.token = await authentication.authorize(one.key.request());
    const { deviceId, authSetId } = await authentication.verify(one.token);
    Object.assign(one, { id: deviceId, authSetId, good: true });
  }

  /** Do it; a refusal is an answer like any other. */
  async perform(operation: Operation): Promise<void> {
    try {
      await this.#perform(operation);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
    }
  }

  async #perform([what, ...which]: Operation): Promise<void> {
    const { deployments, deviceSide, devices, inventory } = this.#next();
    const [first, second, third, fourth] = which;
    if (what === "wait") {
      this.#system.nowMs += HOUR_MS;
      return;
    }
    if (what === "create") {
      const filterId = this.#filters[CHANNELS.indexOf(first as (typeof CHANNELS)[number])];
      const listed = first === "all" ? { allDevices: true } : { devices: [this.#devices[Number(second)]?.id ?? ""] };
      const id = await deployments.create({
        name: `n${this.#deployments.length}`,
        artifactName: "release",
        ...(filterId === undefined ? listed : { filterId, ...(fourth === 0 ? {} : { maxDevices: Number(fourth) }) }),
        phases: third === true ? [{ batchSize: 50 }, { startMs: this.#system.nowMs + HOUR_MS }] : [],
        retries: Number(fourth),
      });
      this.#deployments.push(id);
      return;
    }
    if (what === "abort" || what === "finish" || what === "pause" || what === "resume") {
      return deployments[what](this.#deployments[Number(first)] ?? "none");
    }
    const one = this.#devices[Number(first)];
    if (one === undefined) return;
    switch (what) {
      case "poll":
        one.given = (await deviceSide.next(one.id, PROVIDES))?.deploymentId ?? one.given;
        return;
      case "tell":
        await inventory.replace(one.id, [{ name: "channel", value: String(second) }]);
        return;
      case "abort-device":
        return deployments.abortDevice(one.id);
      case "decommission":
        await devices.decommission(one.id);
        one.good = false;
        one.rejected = false;
        return;
      case "reject":
        await devices.setAuthSetStatus(one.id, one.authSetId, "rejected");
        one.good = false;
        one.rejected = true;
        return;
      case "revoke":
        await devices.revokeTokens(one.authSetId);
        one.good = false;
        return;
      case "log-in":
        if (one.rejected) await devices.setAuthSetStatus(one.id, one.authSetId, "accepted");
        one.rejected = false;
        return this.#logIn(one);
      default:
        return deviceSide.report(one.id, one.given, what);
    }
  }

  /**
   * Whoever is told at the door that there is nothing, would be told so after a look at all deployments. First and
   * last it is asked without waiting, so that what is seen then outlasts whatever is done next.
   */
  async check(): Promise<void> {
    const atOnce = async ({ authentication }: Domain, token: string) => authentication.verifySync(token);
    const waiting = ({ authentication }: Domain, token: string) => authentication.verify(token);
    for (const way of [atOnce, waiting, atOnce]) {
      for (const server of this.#servers) {
        for (const one of this.#devices) {
          const principal = await way(server, one.token).catch((error: unknown) => error);
          // The engine cannot tell at once.
          if (principal === undefined) expect(RECORDS_KIND).toBe("postgres");
          else if (!one.good) expect(principal).toMatchObject({ kind: "unauthorized" });
          else await this.#checkGood(one, principal);
        }
      }
    }
  }

  async #checkGood(one: Known, principal: unknown): Promise<void> {
    expect(principal).toMatchObject({ deviceId: one.id, authSetId: one.authSetId });
    if ((principal as { readonly mayHaveWork: boolean }).mayHaveWork) return;
    const found = await this.#storage.transaction((records) =>
      selectDeployment(records, one.id, PROVIDES, this.#system.nowMs, { sinceMs: 0, unseenDownloadMs: 0 }),
    );
    expect(found).toEqual({ kind: "nothing" });
    this.idle += 1;
  }
}

test("A device that is turned away at the door has nothing to do, and a token that is no good any more is never let in, whatever happened before", async () => {
  let idle = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 10, maxLength: 40, size: "max" }), async (operations) => {
      const world = await World.open();
      try {
        for (const one of operations) {
          await world.perform(one);
          await world.check();
        }
      } finally {
        await world.close();
      }
      idle += world.idle;
    }),
    { numRuns: RUNS },
  );
  expect(idle).toBeGreaterThan(100);
});
