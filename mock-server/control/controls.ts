import type { System } from "@upkeep/shared/system";
import type { Device, Domain, Snapshot } from "../domain.ts";
import { conflict, invalid, notFound } from "../errors.ts";
import type { Blobs } from "../storage/blobs/index.ts";
import { RetainedBlobs } from "./blobs.ts";
import { ServerFaults } from "./faults.ts";
import { SeenRequests } from "./requests.ts";
import { ControlledTime } from "./time.ts";

/** Devices that one query reads. */
const PAGE = 500;
/** The name of the snapshot that is taken when the server starts. */
export const START = "start";
const SNAPSHOT_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** A door whose clock and timers can be stopped and moved. */
export interface ControlledSystem extends System {
  readonly time: ControlledTime;
}

export function controlledSystem(real: System): ControlledSystem {
  const time = new ControlledTime(real);
  return { ...real, clock: time, timers: time, time };
}

export interface ControlledParts {
  readonly system: ControlledSystem;
  readonly domain: Domain;
  /** Used only through {@link TestControls.blobs} from here on. */
  readonly blobs: Blobs;
}

/** Actions of tests on a running server that its own APIs do not offer. */
export class TestControls {
  readonly time: ControlledTime;
  /** The blob store that the server uses. */
  readonly blobs: Blobs;
  readonly requests = new SeenRequests();
  readonly faults: ServerFaults;
  readonly #domain: Domain;
  readonly #retained: RetainedBlobs;
  readonly #snapshots = new Map<string, Snapshot>();

  private constructor({ system, domain, blobs }: ControlledParts) {
    this.time = system.time;
    this.faults = new ServerFaults(system.time);
    this.#domain = domain;
    this.#retained = new RetainedBlobs(blobs, (name) => this.#isKept(name));
    this.blobs = this.#retained;
  }

  static async open(parts: ControlledParts): Promise<TestControls> {
    const controls = new TestControls(parts);
    await controls.takeSnapshot(START);
    return controls;
  }

  #isKept(artifactId: string): boolean {
    return [...this.#snapshots.values()].some(({ artifactIds }) => artifactIds.includes(artifactId));
  }

  /** Advances the clock: timers fire, phases open, tokens and links expire, silent devices fail. */
  async advance(durationMs: number): Promise<void> {
    await this.time.advance(durationMs);
    // The server's housekeeping looks for silent devices from time to time; after an advance it would have looked.
    await this.#domain.deployments.failSilent();
  }

  /**
   * Find a device by its id or by the value of an identity attribute, such as its MAC address.
   * @throws DomainError (not-found)
   */
  async device(name: string): Promise<Device> {
    for await (const device of this.#devices()) if (namesOf(device).includes(name)) return device;
    throw notFound(`there is no device ${JSON.stringify(name)}: neither its id nor an identity attribute`);
  }

  async *#devices(): AsyncGenerator<Device> {
    for (let page = 1; ; page++) {
      const { items } = await this.#domain.devices.list({}, { page, perPage: PAGE });
      yield* items;
      if (items.length < PAGE) return;
    }
  }

  /**
   * Revokes tokens: the next request with one is answered with 401, and the device logs in again.
   * @param name The device; absent: all devices.
   * @returns The number of devices whose tokens are revoked.
   */
  async expireTokens(name?: string): Promise<number> {
    const devices: Device[] = [];
    if (name !== undefined) devices.push(await this.device(name));
    else for await (const device of this.#devices()) devices.push(device);
    for (const { authSets } of devices) {
      for (const { id } of authSets) await this.#domain.devices.revokeTokens(id);
    }
    return devices.length;
  }

  /** Accepts every pending device. @returns Their number. */
  async acceptAll(): Promise<number> {
    const waiting: (readonly [deviceId: string, authSetId: string])[] = [];
    for await (const { id, authSets } of this.#devices()) {
      for (const set of authSets) if (set.status === "pending") waiting.push([id, set.id]);
    }
    for (const [deviceId, authSetId] of waiting) {
      await this.#domain.devices.setAuthSetStatus(deviceId, authSetId, "accepted");
    }
    return waiting.length;
  }

  get snapshots(): readonly string[] {
    return [...this.#snapshots.keys()];
  }

  /** Keeps a copy of all records and artifacts until the server ends. */
  async takeSnapshot(name: string): Promise<void> {
    if (!SNAPSHOT_NAME.test(name)) {
      throw invalid(`${JSON.stringify(name)} is no name of a snapshot: letters, digits, . _ -, at most 64`);
    }
    this.#snapshots.set(name, await this.#domain.snapshots.take());
    await this.#retained.forget();
  }

  /** @throws DomainError (not-found) */
  async restoreSnapshot(name: string): Promise<void> {
    const snapshot = this.#snapshot(name);
    await this.#domain.snapshots.restore(snapshot);
    await this.#retained.restore(snapshot.artifactIds);
    // Times of last contact are not part of a snapshot.
    this.#domain.deployments.restartUptime();
  }

  /** @throws DomainError (not-found); (conflict) if it is the one that {@link reset} needs. */
  async dropSnapshot(name: string): Promise<void> {
    this.#snapshot(name);
    if (name === START) throw conflict(`the snapshot "${START}" stays: a reset goes back to it`);
    this.#snapshots.delete(name);
    await this.#retained.forget();
  }

  #snapshot(name: string): Snapshot {
    const snapshot = this.#snapshots.get(name);
    if (snapshot === undefined) {
      throw notFound(`there is no snapshot ${JSON.stringify(name)}; there are: ${this.snapshots.join(", ")}`);
    }
    return snapshot;
  }

  /** Restores the state of the server's start. Other snapshots stay. */
  async reset(): Promise<void> {
    this.faults.clear();
    this.time.reset();
    await this.restoreSnapshot(START);
    this.requests.forget();
  }
}

/** The names that tests can use for a device. */
export function namesOf({ id, identityData }: Pick<Device, "id" | "identityData">): readonly string[] {
  return [
    id,
    ...Object.values(identityData).map((value) => (typeof value === "string" ? value : JSON.stringify(value))),
  ];
}
