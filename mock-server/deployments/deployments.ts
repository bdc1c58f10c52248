import type { LogMessage } from "@upkeep/shared/protocol";
import { countAccepted } from "../devices/filters/scan.ts";
import { dissolveAll } from "../devices/group-ends.ts";
import { findFilter } from "../devices/saved-filters.ts";
import { DomainError, notFound } from "../errors.ts";
import type {
  DeploymentFilter,
  DeploymentRecord,
  Page,
  Paging,
  Records,
  SortOrder,
  Statistics,
  Storage,
} from "../storage/index.ts";
import { Absence, type AbsenceTimes, failAbsent, openToAllSince } from "./absence.ts";
import { createDeployment, type Sources } from "./creation.ts";
import { type DeviceDeployment, presentDeviceDeployments } from "./device-views.ts";
import { abortDevice } from "./ending.ts";
import type { Membership } from "./membership.ts";
import { checkNewDeployment, type NewDeployment } from "./new-deployment.ts";
import { abortDeployment, applyPendingEnd, dismissWaiting, PendingEnds } from "./pending-ends.ts";
import { Preparations } from "./preparation.ts";
import { endFutureSigns, failSilent, SILENT_BATCH } from "./silence.ts";
import { type DeviceDeploymentFilter, statusesOf } from "./status-filter.ts";
import { type ControlledState, checkControlMap, type UpdateControlMap, withoutPause } from "./update-control.ts";
import type { Uptime } from "./uptime.ts";
import { type Deployment, presentDeployments } from "./views.ts";

/** A device deployment with the deployment it belongs to. */
export interface HistoryEntry {
  readonly deployment: Deployment;
  readonly device: DeviceDeployment;
}

/** What administrators do with deployments. */
export class Deployments {
  readonly #storage: Storage;
  readonly #system: Sources;
  readonly #preparations: Preparations;
  readonly #pendingEnds: PendingEnds;
  readonly #uptime: Uptime;
  readonly #absence = new Absence();
  readonly #unseenDownloadMs: number;

  /** @param unseenDownloadMs How long a download may take of which this server sees nothing. */
  constructor(storage: Storage, system: Sources, uptime: Uptime, unseenDownloadMs = 0) {
    this.#uptime = uptime;
    this.#unseenDownloadMs = unseenDownloadMs;
    this.#storage = storage;
    this.#system = system;
    this.#preparations = new Preparations(storage, system);
    this.#pendingEnds = new PendingEnds(storage, system.clock);
  }

  /** To be called at the start of the only process that there is: nobody goes on with what another has begun. */
  abandonAll(): Promise<void> {
    return this.#preparations.abandonAll();
  }

  /**
   * Remove what is left of creations that were cut short, and write down what is left of ends that were, of deployments
   * and of groups. To be called now and then.
   * @returns How many creations there were.
   */
  async removeAbandoned(): Promise<number> {
    await this.#pendingEnds.applyAll();
    await dissolveAll(this.#storage, this.#system.clock);
    return await this.#preparations.removeAbandoned();
  }

  /**
   * @returns The id of the new deployment.
   * @throws DomainError (invalid) if the request is malformed or names devices that are not accepted;
   *   (not-found) if there is no such filter; (unprocessable) if there is no such release; (conflict) if the same
   *   is under way.
   */
  async create(request: NewDeployment): Promise<string> {
    checkNewDeployment(request);
    const { filterId } = request;
    const filter = filterId === undefined ? undefined : await this.#resolve(filterId);
    const created = await this.#storage.transaction(async (records) => {
      await mustBeThere(records, request);
      return (await this.#preparations.isFor(records, request))
        ? undefined
        : await createDeployment(records, this.#system, request, filter);
    });
    return created ?? (await this.#preparations.create(request));
  }

  async #resolve(filterId: string): Promise<{ readonly filter: Membership; readonly matching: number }> {
    const filter = await this.#storage.read((records) => findFilter(records, filterId));
    return { filter, matching: await countAccepted(this.#storage, filter.terms) };
  }

  /** @throws DomainError (not-found) */
  get(id: string): Promise<Deployment> {
    return this.#storage.read(async (records) => {
      const found = await records.deployments.find(id);
      const [deployment] =
        found === undefined ? [] : await presentDeployments(records, [found], this.#system.clock.now());
      if (deployment === undefined) throw notFound();
      return deployment;
    });
  }

  /** In the order in which they were created, or the other way round. */
  list(filter: DeploymentFilter, order: SortOrder, paging: Paging): Promise<Page<Deployment>> {
    return this.#storage.read(async (records) => {
      const { items, total } = await records.deployments.list(filter, order, paging);
      return { items: await presentDeployments(records, items, this.#system.clock.now()), total };
    });
  }

  /** @throws DomainError (not-found) */
  statistics(id: string): Promise<Statistics> {
    return this.#storage.read(async (records) => {
      await mustExist(records, id);
      return records.counters.of(id);
    });
  }

  /** Of those that exist, in the order of `ids`. */
  statisticsOf(ids: readonly string[]): Promise<readonly { readonly id: string; readonly statistics: Statistics }[]> {
    return this.#storage.read(async (records) => {
      const known = new Set((await records.deployments.findAll([...new Set(ids)])).map(({ id }) => id));
      const all = await records.counters.ofAll(ids.filter((id) => known.has(id)));
      return [...all].map(([id, statistics]) => ({ id, statistics }));
    });
  }

  /**
   * Ids of all devices that it targets, sorted.
   * @throws DomainError (not-found)
   */
  targets(id: string): Promise<readonly string[]> {
    return this.#storage.read(async (records) => {
      await mustExist(records, id);
      return records.deviceDeployments.targets(id);
    });
  }

  /**
   * Its device deployments, by status and then device. A device that has not asked yet has none.
   * @param paging Everything when absent.
   * @throws DomainError (not-found)
   */
  devices(id: string, filter: DeviceDeploymentFilter | undefined, paging?: Paging): Promise<Page<DeviceDeployment>> {
    return this.#storage.read(async (records) => {
      await mustExist(records, id);
      const statuses = filter === undefined ? undefined : statusesOf(filter);
      const { items, total } = await records.deviceDeployments.listOf(id, statuses, paging);
      return { items: await presentDeviceDeployments(records, items), total };
    });
  }

  /**
   * The log of an attempt of a device.
   * @param attempt From 1; absent: the last that has one.
   * @throws DomainError (not-found)
   */
  log(id: string, deviceId: string, attempt?: number): Promise<readonly LogMessage[]> {
    return this.#storage.read(async ({ logs }) => {
      const messages = await logs.find(id, deviceId, attempt);
      if (messages === undefined) throw new DomainError("log-not-found");
      return messages;
    });
  }

  /**
   * End it: whatever a device has not finished is `aborted`, and its next report is refused. That is so for all
   * devices at once; when this resolves, it is also written down for each of them.
   * @throws DomainError (unprocessable) if it is finished, or was never there.
   */
  async abort(id: string): Promise<void> {
    await this.#storage.transaction(async (records) => {
      await unfinished(records, id);
      await abortDeployment(records, id, this.#system.clock.now());
    });
    await this.#pendingEnds.apply(id);
  }

  /**
   * Close a deployment to a filter: no other device gets it, and who is in the middle of it may end it.
   * @throws DomainError (unprocessable) if it is finished, was never there, or has a list of devices and
   *   finishes by itself.
   */
  async finish(id: string): Promise<void> {
    await this.#storage.transaction(async (records) => {
      const deployment = await unfinished(records, id);
      if (deployment.dynamic === 0) throw new DomainError("deployment-not-dynamic");
      await records.deployments.setStatus(id, "finished", this.#system.clock.now());
      await dismissWaiting(records, deployment);
    });
    await this.#pendingEnds.apply(id);
  }

  /**
   * No other device begins, and none begins again; who is in the middle goes on. Paused again it stays as it is.
   * @throws DomainError (unprocessable) if it is finished, or was never there.
   */
  pause(id: string): Promise<void> {
    return this.#storage.transaction(async (records) => {
      const { paused_ms } = await unfinished(records, id);
      if (paused_ms !== null) return;
      await records.deployments.setPause(id, { sinceMs: this.#system.clock.now(), reason: "paused by a user" });
    });
  }

  /**
   * Go on. Failures up to now do not pause it again; as many more do.
   * @throws DomainError (unprocessable) if it is finished, or was never there.
   */
  resume(id: string): Promise<void> {
    return this.#storage.transaction(async (records) => {
      const { paused_ms } = await unfinished(records, id);
      if (paused_ms === null) return;
      await records.phases.tolerateFailures(id);
      await records.deployments.setPause(id, null);
      await records.silence.touchWaiting(id, this.#system.clock.now());
    });
  }

  /**
   * Where its devices pause from now on.
   * @param map `null`: nowhere.
   * @throws DomainError (invalid) that names the field; (unprocessable) if it is finished, or was never there.
   */
  async setControlMap(id: string, map: UpdateControlMap | null): Promise<void> {
    if (map !== null) checkControlMap(map);
    await this.#storage.transaction(async (records) => {
      await unfinished(records, id);
      await records.deployments.setControlMap(id, map === null ? null : JSON.stringify(map));
    });
  }

  /**
   * Let devices that pause go on: they hear of it when they ask for the map again.
   * @param states Before which they pause; all when absent.
   * @throws DomainError (unprocessable) if it is finished, was never there, or has no map.
   */
  continueUpdate(id: string, states?: readonly ControlledState[]): Promise<void> {
    return this.#storage.transaction(async (records) => {
      const { update_control_map_json: map } = await unfinished(records, id);
      if (map === null) throw new DomainError("no-control-map");
      const released = withoutPause(JSON.parse(map) as UpdateControlMap, states);
      await records.deployments.setControlMap(id, JSON.stringify(released));
    });
  }

  /** End whatever this device has not finished, in every deployment. */
  abortDevice(deviceId: string): Promise<void> {
    return this.#storage.transaction((records) => abortDevice(records, deviceId, this.#system.clock.now()));
  }

  /** Devices could not be heard before this moment: each has its full time again. */
  restartUptime(): void {
    this.#uptime.restart();
  }

  /**
   * Fail the devices that were silent for longer than their deployment bears. To be called now and then.
   * @returns How many there were.
   */
  async failSilent(): Promise<number> {
    const limiting = await this.#storage.read(({ deployments }) => deployments.limitingSilence());
    if (limiting.length === 0) return 0;
    await this.#uptime.note(this.#storage);
    let total = 0;
    for (const { id } of limiting) {
      for (let failed = SILENT_BATCH; failed === SILENT_BATCH; total += failed) {
        failed = await this.#storage.transaction((records) => this.#failSome(records, id));
      }
      total += await this.#failAbsent(id);
    }
    this.#absence.keepOnly(new Set(limiting.map(({ id }) => id)));
    return total;
  }

  /** Fail the targets of a deployment that never ask. @returns How many there were. */
  async #failAbsent(id: string): Promise<number> {
    const times = (): AbsenceTimes => ({
      nowMs: this.#system.clock.now(),
      sinceMs: this.#uptime.sinceMs(),
      monotonicMs: this.#system.clock.monotonic(),
    });
    const isDue = await this.#storage.transaction(async (records) => {
      const deployment = await records.deployments.find(id);
      if (deployment === undefined) return false;
      const openMs = await openToAllSince(records, deployment, this.#system.clock.now());
      if (openMs !== deployment.open_to_all_ms) await records.deployments.setOpenToAll(id, openMs);
      return this.#absence.isDue({ ...deployment, open_to_all_ms: openMs }, times());
    });
    let total = 0;
    for (let after: string | undefined = isDue ? "" : undefined; after !== undefined; ) {
      const from: string = after;
      const part = await this.#storage.transaction((records) => failAbsent(records, id, from, times()));
      total += part.failed;
      after = part.after;
    }
    return total;
  }

  async #failSome(records: Records, id: string): Promise<number> {
    const deployment = await records.deployments.find(id);
    if (deployment === undefined) return 0;
    const sinceMs = this.#uptime.sinceMs();
    const nowMs = this.#system.clock.now();
    await endFutureSigns(records, deployment, nowMs);
    return await failSilent(records, deployment, nowMs, { sinceMs, unseenDownloadMs: this.#unseenDownloadMs });
  }

  /** What a device has done, newest first; what was deleted from its history is marked. */
  history(deviceId: string, filter: DeviceDeploymentFilter | undefined, paging: Paging): Promise<Page<HistoryEntry>> {
    return this.#storage.read(async (records) => {
      const statuses = filter === undefined ? undefined : statusesOf(filter);
      const { items, total } = await records.deviceDeployments.history(deviceId, statuses, paging);
      const devices = await presentDeviceDeployments(records, items);
      const found = await records.deployments.findAll(items.map((item) => item.deployment_id));
      const deployments = new Map(
        (await presentDeployments(records, found, this.#system.clock.now())).map((one) => [one.id, one]),
      );
      const entries = devices.flatMap((device) => {
        const deployment = deployments.get(device.deploymentId);
        return deployment === undefined ? [] : [{ deployment, device }];
      });
      return { items: entries, total };
    });
  }

  /** Delete what the device has finished from its history. None of it is offered again. */
  deleteHistory(deviceId: string): Promise<void> {
    return this.#storage.transaction(async (records) => {
      await applyPendingEnd(records, deviceId);
      await records.deviceDeployments.hideFinished(deviceId, this.#system.clock.now());
    });
  }
}

/** @throws DomainError (invalid) if the deployment is for a group that was deleted. */
async function mustBeThere({ devices }: Records, { group }: NewDeployment): Promise<void> {
  if (group !== undefined && (await devices.isEndedGroup(group))) throw new DomainError("no-target-devices");
}

async function mustExist(records: Records, id: string): Promise<void> {
  if ((await records.deployments.find(id)) === undefined) throw notFound();
}

/** @throws DomainError (unprocessable) if it is finished, or was never there. */
async function unfinished(records: Records, id: string): Promise<DeploymentRecord> {
  const deployment = await records.deployments.find(id);
  if (deployment === undefined || deployment.status === "finished") throw new DomainError("deployment-finished");
  return deployment;
}
