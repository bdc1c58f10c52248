import { given } from "@upkeep/shared/given";
import type { LogMessage } from "@upkeep/shared/protocol";
import { countAccepted } from "../devices/filters/scan.ts";
import { completeDeletions } from "../devices/group-ends.ts";
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
import { createDeployment, type Sources } from "./creation/creation.ts";
import { checkNewDeployment, type NewDeployment } from "./creation/new-deployment.ts";
import { Preparations } from "./creation/preparation.ts";
import { retryRequest } from "./creation/retry-request.ts";
import { finishAllComplete } from "./deployment-end/completion.ts";
import { abortDevice } from "./deployment-end/device-end.ts";
import { abortDeployment, applyPendingEnd, dismissUnadmitted, PendingEnds } from "./deployment-end/pending-ends.ts";
import { type Deployment, presentDeployments } from "./deployment-view.ts";
import { type DeviceDeploymentFilter, statusesOf } from "./device-deployment/status-filter.ts";
import { type DeviceDeployment, presentDeviceDeployments } from "./device-deployment/view.ts";
import type { Membership } from "./selection/membership.ts";
import { AbsenceSchedule, type AbsenceTimes, failAbsent, openToAllSince } from "./silence/absence.ts";
import { failSilent, resetFutureSigns, SILENT_BATCH } from "./silence/silence.ts";
import type { Uptime } from "./silence/uptime.ts";
import { type ControlledState, checkControlMap, type UpdateControlMap, withoutPause } from "./update-control.ts";

/** Restricts deployments; absent properties do not restrict. */
export interface DeploymentSearch extends Omit<DeploymentFilter, "firstPhase"> {
  /** The first phase begins in the future, or it has begun. */
  readonly scheduled?: boolean;
}

/** A device deployment with the deployment it belongs to. */
export interface HistoryEntry {
  readonly deployment: Deployment;
  readonly device: DeviceDeployment;
}

/** Administration of deployments. */
export class Deployments {
  readonly #storage: Storage;
  readonly #system: Sources;
  readonly #preparations: Preparations;
  readonly #pendingEnds: PendingEnds;
  readonly #uptime: Uptime;
  readonly #absence = new AbsenceSchedule();
  readonly #unseenDownloadMs: number;

  /** @param unseenDownloadMs How long a download may take that does not pass through this server. */
  constructor(storage: Storage, system: Sources, uptime: Uptime, unseenDownloadMs = 0) {
    this.#uptime = uptime;
    this.#unseenDownloadMs = unseenDownloadMs;
    this.#storage = storage;
    this.#system = system;
    this.#preparations = new Preparations(storage, system);
    this.#pendingEnds = new PendingEnds(storage, system.clock);
  }

  /** Call it when the only process starts: no other process continues a preparation. */
  abandonAll(): Promise<void> {
    return this.#preparations.abandonAll();
  }

  /**
   * Deletes abandoned preparations, and completes the ends of deployments and groups that a crash interrupted. Call it
   * periodically.
   * @returns The number of preparations.
   */
  async removeAbandoned(): Promise<number> {
    await finishAllComplete(this.#storage, this.#system.clock.now());
    await this.#pendingEnds.applyAll();
    await completeDeletions(this.#storage, this.#system.clock);
    return await this.#preparations.removeAbandoned();
  }

  /**
   * @returns The id of the new deployment.
   * @throws DomainError (invalid) if the request is malformed or names devices that are not accepted;
   *   (filter-not-found); (no-artifact) if there is no such release; (deployment-exists) if an unfinished deployment
   *   has the same parameters.
   */
  async create(request: NewDeployment): Promise<string> {
    checkNewDeployment(request);
    const { filterId } = request;
    const filter = filterId === undefined ? undefined : await this.#resolve(filterId);
    const created = await this.#storage.transaction(async (records) => {
      await checkGroupExists(records, request);
      return (await this.#preparations.isFor(records, request))
        ? undefined
        : await createDeployment(records, this.#system, request, filter);
    });
    return created ?? (await this.#preparations.create(request));
  }

  /**
   * Deploys the same release again, without phases, to the devices that failed a deployment and are accepted now.
   * @param name Default: that of the deployment.
   * @returns The id of the new deployment.
   * @throws DomainError (not-found); (no-target-devices); (unprocessable) if it delivered a configuration; and as
   *   {@link create}.
   */
  async retry(id: string, name?: string): Promise<string> {
    const request = await this.#storage.read((records) => retryRequest(records, id));
    return await this.create({ ...request, ...given({ name }) });
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
      return { ...deployment, downloads: await records.deviceDownloads.sums(id) };
    });
  }

  /** In the order of creation, or in reverse. */
  list({ scheduled, ...filter }: DeploymentSearch, order: SortOrder, paging: Paging): Promise<Page<Deployment>> {
    const nowMs = this.#system.clock.now();
    const firstPhase = scheduled === undefined ? undefined : { isAfterMs: nowMs, is: scheduled };
    return this.#storage.read(async (records) => {
      const { items, total } = await records.deployments.list({ ...filter, ...given({ firstPhase }) }, order, paging);
      return { items: await presentDeployments(records, items, nowMs), total };
    });
  }

  /** @throws DomainError (not-found) */
  statistics(id: string): Promise<Statistics> {
    return this.#storage.read(async (records) => {
      await mustExist(records, id);
      return records.counters.of(id);
    });
  }

  /** Statistics of the deployments that exist, in the order of `ids`. */
  statisticsOf(ids: readonly string[]): Promise<readonly { readonly id: string; readonly statistics: Statistics }[]> {
    return this.#storage.read(async (records) => {
      const known = new Set((await records.deployments.findAll([...new Set(ids)])).map(({ id }) => id));
      const all = await records.counters.ofAll(ids.filter((id) => known.has(id)));
      return [...all].map(([id, statistics]) => ({ id, statistics }));
    });
  }

  /**
   * Ids of all targets, sorted.
   * @throws DomainError (not-found)
   */
  targets(id: string): Promise<readonly string[]> {
    return this.#storage.read(async (records) => {
      await mustExist(records, id);
      return records.deviceDeployments.targets(id);
    });
  }

  /**
   * Its device deployments, by status and then device. A device that has not polled yet has none.
   * @param paging Everything when absent.
   * @throws DomainError (not-found)
   */
  devices(id: string, filter: DeviceDeploymentFilter | undefined, paging?: Paging): Promise<Page<DeviceDeployment>> {
    return this.#storage.read(async (records) => {
      await mustExist(records, id);
      const statuses = filter === undefined ? undefined : statusesOf(filter);
      const { items, total } = await records.deviceDeploymentLists.listOf(id, statuses, paging);
      return { items: await presentDeviceDeployments(records, items), total };
    });
  }

  /**
   * The log of one attempt of a device.
   * @param attempt From 1. Default: the last attempt with a log.
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
   * Aborts it: unfinished device deployments become `aborted`, and further reports are refused, for all devices at
   * once. When this resolves, every record says so.
   * @throws DomainError (deployment-finished) also if there is no such deployment.
   */
  async abort(id: string): Promise<void> {
    await this.#storage.transaction(async (records) => {
      await findUnfinished(records, id);
      await abortDeployment(records, id, this.#system.clock.now());
    });
    await this.#pendingEnds.apply(id);
  }

  /**
   * Finishes a deployment to a filter: no further device gets it; devices that have begun may complete it.
   * @throws DomainError (deployment-finished) also if there is no such deployment; (deployment-not-dynamic) if it has
   *   a list of devices, and so finishes by itself.
   */
  async finish(id: string): Promise<void> {
    await this.#storage.transaction(async (records) => {
      const deployment = await findUnfinished(records, id);
      if (deployment.dynamic === 0) throw new DomainError("deployment-not-dynamic");
      await records.deployments.setStatus(id, "finished", this.#system.clock.now());
      await dismissUnadmitted(records, deployment);
    });
    await this.#pendingEnds.apply(id);
  }

  /**
   * Pauses it: no device begins or retries; devices that have begun continue. A paused deployment stays as it is.
   * @throws DomainError (deployment-finished) also if there is no such deployment.
   */
  pause(id: string): Promise<void> {
    return this.#storage.transaction(async (records) => {
      const { paused_ms } = await findUnfinished(records, id);
      if (paused_ms !== null) return;
      await records.deployments.setPause(id, { sinceMs: this.#system.clock.now(), reason: "paused by a user" });
    });
  }

  /**
   * Resumes it. Failures so far no longer count towards a pause.
   * @throws DomainError (deployment-finished) also if there is no such deployment.
   */
  resume(id: string): Promise<void> {
    return this.#storage.transaction(async (records) => {
      const { paused_ms } = await findUnfinished(records, id);
      if (paused_ms === null) return;
      await records.phases.tolerateFailures(id);
      await records.deployments.setPause(id, null);
      await records.silence.touchWaiting(id, this.#system.clock.now());
    });
  }

  /**
   * Sets where its devices pause.
   * @param map `null`: nowhere.
   * @throws DomainError (invalid) that names the field; (deployment-finished) also if there is no such deployment.
   */
  async setControlMap(id: string, map: UpdateControlMap | null): Promise<void> {
    if (map !== null) checkControlMap(map);
    await this.#storage.transaction(async (records) => {
      await findUnfinished(records, id);
      await records.deployments.setControlMap(id, map === null ? null : JSON.stringify(map));
    });
  }

  /**
   * Lets paused devices continue: they learn it when they fetch the map again.
   * @param states The states before which they pause. Default: all.
   * @throws DomainError (deployment-finished) also if there is no such deployment; (no-control-map)
   */
  continueUpdate(id: string, states?: readonly ControlledState[]): Promise<void> {
    return this.#storage.transaction(async (records) => {
      const { update_control_map_json: map } = await findUnfinished(records, id);
      if (map === null) throw new DomainError("no-control-map");
      const released = withoutPause(JSON.parse(map) as UpdateControlMap, states);
      await records.deployments.setControlMap(id, JSON.stringify(released));
    });
  }

  /** Aborts all unfinished device deployments of this device. */
  abortDevice(deviceId: string): Promise<void> {
    return this.#storage.transaction((records) => abortDevice(records, deviceId, this.#system.clock.now()));
  }

  /** The server was down until now: the silence of every device counts from now. */
  restartUptime(): void {
    this.#uptime.restart();
  }

  /**
   * Fails the devices that were silent for longer than their deployment allows. Call it periodically.
   * @returns Their number.
   */
  async failSilent(): Promise<number> {
    const limiting = await this.#storage.read(({ deployments }) => deployments.limitingSilence());
    if (limiting.length === 0) return 0;
    await this.#uptime.record(this.#storage);
    let total = 0;
    for (const { id } of limiting) {
      for (let failed = SILENT_BATCH; failed === SILENT_BATCH; total += failed) {
        failed = await this.#storage.transaction((records) => this.#failSilentBatch(records, id));
      }
      total += await this.#failAbsent(id);
    }
    this.#absence.retain(new Set(limiting.map(({ id }) => id)));
    return total;
  }

  /** Fails the targets of a deployment that never poll. @returns Their number. */
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

  async #failSilentBatch(records: Records, id: string): Promise<number> {
    const deployment = await records.deployments.find(id);
    if (deployment === undefined) return 0;
    const sinceMs = this.#uptime.sinceMs();
    const nowMs = this.#system.clock.now();
    await resetFutureSigns(records, deployment, nowMs);
    return await failSilent(records, deployment, nowMs, { sinceMs, unseenDownloadMs: this.#unseenDownloadMs });
  }

  /** The device deployments of a device, newest first; deleted history is marked. */
  history(deviceId: string, filter: DeviceDeploymentFilter | undefined, paging: Paging): Promise<Page<HistoryEntry>> {
    return this.#storage.read(async (records) => {
      const statuses = filter === undefined ? undefined : statusesOf(filter);
      const { items, total } = await records.deviceDeploymentLists.history(deviceId, statuses, paging);
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

  /** Deletes the finished device deployments from the history. None of them is offered again. */
  deleteHistory(deviceId: string): Promise<void> {
    return this.#storage.transaction(async (records) => {
      await applyPendingEnd(records, deviceId);
      await records.deviceDeployments.hideFinished(deviceId, this.#system.clock.now());
    });
  }
}

/** @throws DomainError (invalid) if the deployment is for a group that was deleted. */
async function checkGroupExists({ devices }: Records, { group }: NewDeployment): Promise<void> {
  if (group !== undefined && (await devices.isEndedGroup(group))) throw new DomainError("no-target-devices");
}

async function mustExist(records: Records, id: string): Promise<void> {
  if ((await records.deployments.find(id)) === undefined) throw notFound();
}

/** @throws DomainError (deployment-finished) also if there is no such deployment. */
async function findUnfinished(records: Records, id: string): Promise<DeploymentRecord> {
  const deployment = await records.deployments.find(id);
  if (deployment === undefined || deployment.status === "finished") throw new DomainError("deployment-finished");
  return deployment;
}
