import { given } from "@upkeep/shared/given";
import { DomainError } from "../../errors.ts";
import { BatchSize, ONE_TRANSACTION_MAX } from "../../storage/batches.ts";
import type { DeploymentRecord, DeviceNarrowing, Records, Storage, TargetsOf } from "../../storage/index.ts";
import { planPhases } from "../phases.ts";
import {
  checkNotDuplicate,
  checkRelease,
  draftedDeployment,
  insertPlan,
  parametersDigest,
  refuseOthers,
  type Sources,
  type Targeting,
} from "./creation.ts";
import { LeaseWatch } from "./lease-watch.ts";
import type { NewDeployment } from "./new-deployment.ts";

/** Ids per statement. */
const LISTED_MAX = 500;
/** Each batch sets the end of the lease that far ahead; {@link LeaseWatch} only compares it with the one before. */
const LEASE_MS = 30_000;
/** Larger than any fleet: phases that are invalid for this many devices are invalid for any number. */
const MANY_DEVICES = 1_000_000_000;

/** The targets to insert. */
type Source =
  | { readonly kind: "accepted"; readonly group?: string }
  | { readonly kind: "listed"; readonly ids: readonly string[] };

/** The result of a batch. */
interface Batch {
  /** The next batch begins after this device; `undefined` at the end. */
  readonly next: string | undefined;
  /** The targets, if the digest of the request needs them. */
  readonly ids: readonly string[];
}

/**
 * Creates deployments to many devices without delaying other requests: many short transactions insert the targets, and
 * the last one publishes the deployment, which is invisible until then. The targets are the devices that are accepted
 * from the first transaction to the last.
 *
 * INVARIANTS
 * - All processes together prepare one deployment at a time. Its sequence number is reserved: deployments that are
 *   created meanwhile are published before it, and count as older.
 * - Each batch renews the lease of the preparation. An abandoned preparation is deleted.
 */
export class Preparations {
  readonly #storage: Storage;
  readonly #system: Sources;
  readonly #leases: LeaseWatch;
  #last: Promise<unknown> = Promise.resolve();

  constructor(storage: Storage, system: Sources) {
    this.#leases = new LeaseWatch(system.clock);
    this.#storage = storage;
    this.#system = system;
  }

  /** True if the deployment has too many targets for one transaction. */
  async isFor(records: Records, { devices = [], allDevices, group, filterId }: NewDeployment): Promise<boolean> {
    if (filterId !== undefined) return false;
    if (!allDevices && group === undefined) return devices.length > ONE_TRANSACTION_MAX;
    return (await records.devices.nthAfter(acceptedOf(group), "", ONE_TRANSACTION_MAX + 1)) !== undefined;
  }

  /**
   * @returns The id of the new deployment.
   * @throws DomainError as `createDeployment`; also (preparation-in-progress) while another process prepares one.
   */
  create(request: NewDeployment): Promise<string> {
    const mine = this.#last.then(() => this.#create(request));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #create(request: NewDeployment): Promise<string> {
    const { allDevices, group, devices = [] } = request;
    // Reports invalid phases before anything is written.
    planPhases(request.phases ?? [], MANY_DEVICES, false);
    const listed = allDevices || group !== undefined ? undefined : [...new Set(devices)].sort();
    const source: Source =
      listed === undefined ? { kind: "accepted", ...given({ group }) } : { kind: "listed", ids: listed };
    if (source.kind === "listed") await this.#checkListed(source.ids);
    const begun = await this.#storage.transaction((records) => this.#begin(records, request, source));
    try {
      const digest = await this.#writeTargets(request, begun, source);
      await this.#storage.transaction((records) => this.#end(records, request, begun.id, digest));
      return begun.id;
    } catch (error) {
      await this.#storage.transaction(({ deployments }) => deployments.abandonPreparation(begun.id));
      await this.#remove(begun.id);
      throw error;
    } finally {
      this.#leases.release();
    }
  }

  /** @throws DomainError (invalid) */
  async #checkListed(ids: readonly string[]): Promise<void> {
    const others: string[] = [];
    for (let at = 0; at < ids.length; at += LISTED_MAX) {
      const some = ids.slice(at, at + LISTED_MAX);
      const accepted = await this.#storage.read(({ devices }) => devices.acceptedAmong(some));
      others.push(...some.filter((id) => !accepted.has(id)));
    }
    refuseOthers(others);
  }

  async #begin(records: Records, request: NewDeployment, source: Source): Promise<TargetsOf> {
    await checkRelease(records, request);
    const digest = knownDigest(request, source);
    if (digest !== null) await checkNotDuplicate(records, digest);
    const nowMs = this.#system.clock.now();
    const others = await records.deployments.beingPrepared();
    if (this.#leases.abandonedAmong(others).length < others.length) {
      throw new DomainError("preparation-in-progress");
    }
    const deployment = {
      ...draftedDeployment(this.#system, request, {
        name: request.name,
        artifact_name: request.artifactName,
        force_installation: request.forceInstallation ? 1 : 0,
        active_sha256: digest,
        retry_of: request.retryOf ?? null,
        targeting: targetingOf(source),
      }),
      sequence: await records.deployments.reserveSequence(),
      target_count: 0,
      initial_device_count: 0,
      preparing_until_ms: nowMs + LEASE_MS,
    };
    await records.deployments.insert(deployment);
    this.#leases.hold(deployment.id);
    return deployment;
  }

  /** @returns The digest of the request. */
  async #writeTargets(request: NewDeployment, deployment: TargetsOf, source: Source): Promise<string> {
    const digest = parametersDigest(request);
    const size = new BatchSize(this.#system.clock, source.kind === "listed" ? LISTED_MAX : undefined);
    let next: string | undefined = "";
    while (next !== undefined) {
      const after: string = next;
      const batch = await this.#storage.transaction((records) =>
        size.timed(() => this.#writeBatch(records, deployment, source, after, size.next)),
      );
      digest.add(batch.ids);
      next = batch.next;
    }
    return digest.end(targetingOf(source).kind);
  }

  async #writeBatch(
    records: Records,
    deployment: TargetsOf,
    source: Source,
    after: string,
    size: number,
  ): Promise<Batch> {
    await findPreparation(records, deployment.id);
    const batch =
      source.kind === "listed"
        ? await writeListed(records, deployment, source.ids, after, size)
        : await writeAccepted(records, deployment, source.group, after, size);
    const untilMs = this.#system.clock.now() + LEASE_MS;
    await records.deployments.prolongPreparation(deployment.id, batch.count, untilMs);
    return { next: batch.next, ids: batch.ids };
  }

  async #end(records: Records, request: NewDeployment, id: string, digest: string): Promise<void> {
    const deployment = await findPreparation(records, id);
    if (deployment.target_count === 0) throw new DomainError("no-target-devices");
    if (deployment.active_sha256 === null) await checkNotDuplicate(records, digest);
    const planned = planPhases(request.phases ?? [], deployment.target_count, false);
    await records.deployments.reachSequence(deployment.sequence);
    await insertPlan(records, this.#system, deployment, planned);
    await records.deployments.endPreparation(id, {
      created_ms: this.#system.clock.now(),
      initial_device_count: deployment.target_count,
      active_sha256: digest,
    });
  }

  /** Ends all leases: the only process has just started, so no preparation is running. */
  async abandonAll(): Promise<void> {
    const known = await this.#storage.read(({ deployments }) => deployments.beingPrepared());
    if (known.length === 0) return;
    await this.#storage.transaction(async ({ deployments }) => {
      for (const { id } of await deployments.beingPrepared()) await deployments.abandonPreparation(id);
    });
  }

  /** Deletes abandoned preparations. @returns Their number. */
  async removeAbandoned(): Promise<number> {
    const known = await this.#storage.read(({ deployments }) => deployments.beingPrepared());
    if (this.#leases.abandonedAmong(known).length === 0) return 0;
    const ids = await this.#storage.transaction(({ deployments }) => this.#claimAbandoned(deployments));
    for (const id of ids) await this.#remove(id);
    return ids.length;
  }

  /** @returns The ids of the preparations that were still abandoned when the transaction looked. */
  async #claimAbandoned(deployments: Records["deployments"]): Promise<string[]> {
    const abandoned = this.#leases.abandonedAmong(await deployments.beingPrepared());
    for (const { id } of abandoned) await deployments.abandonPreparation(id);
    return abandoned.map(({ id }) => id);
  }

  async #remove(id: string): Promise<void> {
    for (let removed = 1; removed > 0; ) {
      removed = await this.#storage.transaction(({ deviceDeployments }) =>
        deviceDeployments.removeSome(id, LISTED_MAX),
      );
    }
    await this.#storage.transaction(({ deployments }) => deployments.removePreparation(id));
  }
}

/** @throws Error if another process gave it up. */
async function findPreparation({ deployments }: Records, id: string): Promise<DeploymentRecord> {
  const deployment = await deployments.preparation(id);
  if (deployment === undefined) throw new Error(`the preparation of deployment ${id} took too long and was given up`);
  return deployment;
}

function acceptedOf(group: string | undefined): DeviceNarrowing {
  return { status: "accepted", ...given({ group }) };
}

/** The targeting of the deployment's record; the targets follow in batches. */
function targetingOf(source: Source): Targeting {
  if (source.kind === "listed") return { kind: "devices", ids: [] };
  if (source.group === undefined) return { kind: "all", count: 0 };
  return { kind: "devices", ids: [], group: source.group };
}

/** `null` for a group: its digest is known once all targets are inserted. */
function knownDigest(request: NewDeployment, source: Source): string | null {
  if (source.kind === "accepted" && source.group !== undefined) return null;
  const digest = parametersDigest(request);
  if (source.kind === "listed") digest.add(source.ids);
  return digest.end(targetingOf(source).kind);
}

interface Written extends Pick<Batch, "next" | "ids"> {
  readonly count: number;
}

async function writeAccepted(
  { devices, deviceDeployments }: Records,
  deployment: TargetsOf,
  group: string | undefined,
  after: string,
  size: number,
): Promise<Written> {
  const upTo = await devices.nthAfter(acceptedOf(group), after, size);
  const count = await deviceDeployments.insertAccepted(deployment, group, { after, upTo });
  // The digest names the members of a group, which change, but not all accepted devices.
  const ids =
    group === undefined ? [] : (await devices.after(acceptedOf(group), after, size)).map((device) => device.id);
  return { next: upTo, ids, count };
}

async function writeListed(
  { devices, deviceDeployments }: Records,
  deployment: TargetsOf,
  ids: readonly string[],
  after: string,
  size: number,
): Promise<Written> {
  const start = after === "" ? 0 : ids.indexOf(after) + 1;
  const some = ids.slice(start, start + size);
  const accepted = await devices.acceptedAmong(some);
  const targets = some.filter((id) => accepted.has(id));
  await deviceDeployments.insertTargets(deployment, targets);
  return { next: start + size < ids.length ? some.at(-1) : undefined, ids: some, count: targets.length };
}
