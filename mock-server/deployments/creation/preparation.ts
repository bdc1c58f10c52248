import { given } from "@upkeep/shared/given";
import { DomainError } from "../../errors.ts";
import { BatchSize, ONE_TRANSACTION_MAX } from "../../storage/batches.ts";
import type {
  DeploymentRecord,
  DeviceNarrowing,
  PreparationRecord,
  Records,
  Storage,
  TargetsOf,
} from "../../storage/index.ts";
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
 * - Each batch is counted, which tells that the process is alive. An abandoned preparation is deleted.
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
      await this.#storage.transaction((records) => this.#end(records, request, begun, digest));
      return begun.id;
    } catch (error) {
      // If only the answer to the last commit was lost, the deployment is there and keeps its targets.
      const abandoned = await this.#storage.transaction(({ preparations }) => preparations.abandon(begun.id));
      if (abandoned) await this.#remove(begun.id);
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

  async #begin(records: Records, request: NewDeployment, source: Source): Promise<DeploymentRecord> {
    await checkRelease(records, request);
    const digest = knownDigest(request, source);
    if (digest !== null) await checkNotDuplicate(records, digest);
    const others = await records.preparations.all();
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
    };
    const { id, sequence, artifact_name, active_sha256 } = deployment;
    await records.preparations.insert({ deployment_id: id, sequence, artifact_name, active_sha256 });
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
    await records.preparations.countBatch(deployment.id, batch.count);
    return { next: batch.next, ids: batch.ids };
  }

  /** Publishes the deployment: from this transaction on, devices can get it. */
  async #end(records: Records, request: NewDeployment, draft: DeploymentRecord, digest: string): Promise<void> {
    const { target_count, active_sha256 } = await findPreparation(records, draft.id);
    if (target_count === 0) throw new DomainError("no-target-devices");
    if (active_sha256 === null) await checkNotDuplicate(records, digest);
    const planned = planPhases(request.phases ?? [], target_count, false);
    const deployment = {
      ...draft,
      target_count,
      created_ms: this.#system.clock.now(),
      initial_device_count: target_count,
      active_sha256: digest,
    };
    await records.deployments.reachSequence(deployment.sequence);
    await records.preparations.remove(deployment.id);
    await records.deployments.insert(deployment);
    await insertPlan(records, this.#system, deployment, planned);
  }

  /** Ends all leases: the only process has just started, so no preparation is running. */
  async abandonAll(): Promise<void> {
    const known = await this.#storage.read(({ preparations }) => preparations.all());
    if (known.length === 0) return;
    await this.#storage.transaction(async ({ preparations }) => {
      for (const { deployment_id } of await preparations.all()) await preparations.abandon(deployment_id);
    });
  }

  /** Deletes abandoned preparations. @returns Their number. */
  async removeAbandoned(): Promise<number> {
    const known = await this.#storage.read(({ preparations }) => preparations.all());
    if (this.#leases.abandonedAmong(known).length === 0) return 0;
    const ids = await this.#storage.transaction(({ preparations }) => this.#claimAbandoned(preparations));
    for (const id of ids) await this.#remove(id);
    return ids.length;
  }

  /** @returns The ids of the preparations that were still abandoned when the transaction looked. */
  async #claimAbandoned(preparations: Records["preparations"]): Promise<string[]> {
    const ids = this.#leases.abandonedAmong(await preparations.all()).map((one) => one.deployment_id);
    for (const id of ids) await preparations.abandon(id);
    return ids;
  }

  async #remove(id: string): Promise<void> {
    for (let removed = 1; removed > 0; ) {
      removed = await this.#storage.transaction(({ deviceDeployments }) =>
        deviceDeployments.removeSome(id, LISTED_MAX),
      );
    }
    await this.#storage.transaction(({ preparations }) => preparations.remove(id));
  }
}

/** @throws Error if another process gave it up. */
async function findPreparation({ preparations }: Records, id: string): Promise<PreparationRecord> {
  const preparation = await preparations.find(id);
  if (preparation === undefined) throw new Error(`the preparation of deployment ${id} took too long and was given up`);
  return preparation;
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
