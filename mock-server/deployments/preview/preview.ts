import type { Provides } from "@upkeep/shared/compatibility";
import { type DeviceInventory, lookupIn } from "../../devices/attributes.ts";
import { type SearchOptions, scan } from "../../devices/filters/scan.ts";
import { findFilter } from "../../devices/saved-filters.ts";
import type { ArtifactRecord, Storage } from "../../storage/index.ts";
import { portions } from "../../storage/paging.ts";
import { checkRelease } from "../creation/creation.ts";
import { checkNewDeployment, type NewDeployment } from "../creation/new-deployment.ts";
import { type PlannedPhase, planPhases } from "../phases.ts";
import { chooseArtifact, offerOf } from "../selection/assignment.ts";
import { type Queue, readQueues } from "./queue.ts";

/** What a device would get of a deployment at its next poll, if it had a slot. */
export const PREVIEW_OUTCOMES = [
  "artifact",
  "already-installed",
  /** No artifact of the release fits. */
  "no-artifact",
  /** The device reported no device type, so no artifact can be chosen before it polls. */
  "unknown-device-type",
  /** An older deployment comes first. */
  "older-deployment",
  /** The device is not accepted, so it is no target. */
  "not-accepted",
] as const;
export type PreviewOutcome = (typeof PREVIEW_OUTCOMES)[number];

/** Devices that a deployment would treat alike. */
export interface PreviewGroup {
  readonly outcome: PreviewOutcome;
  /** Of `artifact` and `already-installed`. */
  readonly artifact?: ArtifactRecord;
  /** Of `artifact` and `already-installed`. */
  readonly deviceType?: string;
  /** Of `older-deployment`: the id of that deployment. */
  readonly deploymentId?: string;
  readonly count: number;
  /** Ids of some devices of the group. */
  readonly sample: readonly string[];
}

/** What a deployment would do now. */
export interface Preview {
  /** The number of targets; of a deployment to a filter, of the devices that match it now. */
  readonly targetCount: number;
  /** The largest groups first. */
  readonly groups: readonly PreviewGroup[];
  /** Empty without phases, or without targets. */
  readonly phases: readonly PlannedPhase[];
}

const SAMPLE_MAX = 10;
/** Devices per read of their queues. */
const BATCH = 500;

type Fate = Omit<PreviewGroup, "count" | "sample">;

/**
 * Computes what the selection would decide for each device that a request means. The provides are those of the
 * inventory: clients report them there.
 * @throws DomainError as the creation of the deployment, but a request may mean no device or unaccepted ones, and an
 *   equal deployment may exist; the reason of the signal.
 */
export async function previewDeployment(
  storage: Storage,
  request: NewDeployment,
  options: Pick<SearchOptions, "signal"> = {},
): Promise<Preview> {
  // A deployment is previewed before it has its name.
  checkNewDeployment({ ...request, name: request.name === "" ? "preview" : request.name });
  const { artifactName, filterId, forceInstallation = false } = request;
  const release = await storage.read(async (records) => {
    await checkRelease(records, request);
    return records.artifacts.ofRelease(artifactName);
  });
  const groups = new Groups();
  for await (const devices of batches(meant(storage, request, groups, options))) {
    const queue = await storage.read((records) => readQueues(records, devices));
    for (const device of devices) groups.add(device.id, fateOf(device, queue, release, forceInstallation));
  }
  const targetCount = groups.targetCount();
  const phases = targetCount === 0 ? [] : planPhases(request.phases ?? [], targetCount, filterId !== undefined);
  return { targetCount, groups: groups.all(), phases };
}

function fateOf(device: DeviceInventory, queue: Queue, release: readonly ArtifactRecord[], force: boolean): Fate {
  if (lookupIn(device)("identity", "status") !== "accepted") return { outcome: "not-accepted" };
  const older = queue(device);
  if (older !== undefined) return { outcome: "older-deployment", deploymentId: older.id };
  const provides = providesOf(device);
  const { device_type: deviceType } = provides;
  if (deviceType === undefined) return { outcome: "unknown-device-type" };
  const offer = offerOf(chooseArtifact(release, provides), provides, force);
  if (offer.kind === "no-artifact") return { outcome: "no-artifact" };
  return { outcome: offer.kind, artifact: offer.artifact, deviceType };
}

/** The provides as the device reported them in its inventory. */
function providesOf({ attributes }: DeviceInventory): Provides {
  return Object.fromEntries(
    attributes.flatMap(({ scope, name, value }) =>
      scope === "inventory" && typeof value === "string" ? [[name, value]] : [],
    ),
  );
}

/** The devices that the request means, of any status. Requested ids of no device go to the groups. */
async function* meant(
  storage: Storage,
  { devices = [], allDevices, group, filterId }: NewDeployment,
  groups: Groups,
  options: Pick<SearchOptions, "signal">,
): AsyncGenerator<DeviceInventory> {
  if (filterId !== undefined) {
    const { terms } = await storage.read((records) => findFilter(records, filterId));
    yield* scan(storage, { terms }, options);
  } else if (allDevices) yield* scan(storage, { terms: [] }, options);
  else if (group !== undefined) {
    if (await storage.read((records) => records.devices.isEndedGroup(group))) return;
    yield* scan(storage, { terms: [{ scope: "system", attribute: "group", type: "$eq", value: group }] }, options);
  } else {
    for (const ids of portions([...new Set(devices)].sort(), BATCH)) {
      const missing = new Set(ids);
      for await (const device of scan(storage, { terms: [], ids }, options)) {
        missing.delete(device.id);
        yield device;
      }
      for (const id of missing) groups.add(id, { outcome: "not-accepted" });
    }
  }
}

async function* batches<T>(items: AsyncIterable<T>): AsyncGenerator<readonly T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Counts devices by their fate, and keeps a sample of each. */
class Groups {
  readonly #groups = new Map<string, { readonly fate: Fate; count: number; readonly sample: string[] }>();

  add(deviceId: string, fate: Fate): void {
    const key = JSON.stringify([fate.outcome, fate.artifact?.id, fate.deviceType, fate.deploymentId]);
    const group = this.#groups.get(key) ?? { fate, count: 0, sample: [] };
    this.#groups.set(key, group);
    group.count += 1;
    if (group.sample.length < SAMPLE_MAX) group.sample.push(deviceId);
  }

  targetCount(): number {
    return [...this.#groups.values()].reduce(
      (sum, { fate, count }) => (fate.outcome === "not-accepted" ? sum : sum + count),
      0,
    );
  }

  all(): PreviewGroup[] {
    return [...this.#groups.values()]
      .map(({ fate, count, sample }) => ({ ...fate, count, sample }))
      .sort((a, b) => b.count - a.count);
  }
}
