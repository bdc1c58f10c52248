import type { LogMessage } from "@upkeep/shared/protocol";
import type { Clock, Random } from "@upkeep/shared/system";
import { notFound, unprocessable } from "../errors.ts";
import type { DeploymentFilter, Page, Paging, Records, SortOrder, Statistics, Storage } from "../storage/index.ts";
import { changeStatus } from "./changes.ts";
import { createDeployment, type NewDeployment } from "./creation.ts";
import { type DeviceDeploymentFilter, statusesOf } from "./status-filter.ts";
import { type Deployment, type DeviceDeployment, presentDeployments, presentDeviceDeployments } from "./views.ts";

/** A device deployment with the deployment it belongs to. */
export interface HistoryEntry {
  readonly deployment: Deployment;
  readonly device: DeviceDeployment;
}

/** What administrators do with deployments. */
export class Deployments {
  readonly #storage: Storage;
  readonly #system: { readonly clock: Clock; readonly random: Random };

  constructor(storage: Storage, system: { readonly clock: Clock; readonly random: Random }) {
    this.#storage = storage;
    this.#system = system;
  }

  /**
   * @returns The id of the new deployment.
   * @throws ServerError (invalid) if the request is malformed or names devices that are not accepted;
   *   (unprocessable) if there is no such release; (conflict) if the same is under way.
   */
  create(request: NewDeployment): Promise<string> {
    return this.#storage.transaction((records) => createDeployment(records, this.#system, request));
  }

  /** @throws ServerError (not-found) */
  get(id: string): Promise<Deployment> {
    return this.#storage.read(async (records) => {
      const found = await records.deployments.find(id);
      const [deployment] = found === undefined ? [] : await presentDeployments(records, [found]);
      if (deployment === undefined) throw notFound();
      return deployment;
    });
  }

  /** In the order in which they were created, or the other way round. */
  list(filter: DeploymentFilter, order: SortOrder, paging: Paging): Promise<Page<Deployment>> {
    return this.#storage.read(async (records) => {
      const { items, total } = await records.deployments.list(filter, order, paging);
      return { items: await presentDeployments(records, items), total };
    });
  }

  /** @throws ServerError (not-found) */
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
   * @throws ServerError (not-found)
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
   * @throws ServerError (not-found)
   */
  devices(id: string, filter: DeviceDeploymentFilter | undefined, paging?: Paging): Promise<Page<DeviceDeployment>> {
    return this.#storage.read(async (records) => {
      await mustExist(records, id);
      const statuses = filter === undefined ? undefined : statusesOf(filter);
      const { items, total } = await records.deviceDeployments.listOf(id, statuses, paging);
      return { items: await presentDeviceDeployments(records, items), total };
    });
  }

  /** The log of a device's last attempt that has one. @throws ServerError (not-found) */
  log(id: string, deviceId: string): Promise<readonly LogMessage[]> {
    return this.#storage.read(async ({ logs }) => {
      const messages = await logs.find(id, deviceId);
      if (messages === undefined) throw notFound("Log not found");
      return messages;
    });
  }

  /**
   * End it: whatever a device has not finished is `aborted`, and its next report is refused.
   * @throws ServerError (unprocessable) if it is finished, or was never there.
   */
  abort(id: string): Promise<void> {
    return this.#storage.transaction(async (records) => {
      const deployment = await records.deployments.find(id);
      if (deployment === undefined || deployment.status === "finished")
        throw unprocessable("Deployment already finished");
      const now = this.#system.clock.now();
      await records.deviceDeployments.finishAllOpen(id, "aborted", now);
      await records.counters.recount(id);
      await records.deployments.setStatus(id, "finished", now);
    });
  }

  /** End whatever this device has not finished, in every deployment. */
  abortDevice(deviceId: string): Promise<void> {
    return this.#storage.transaction(async (records) => {
      const now = this.#system.clock.now();
      for (const open of await records.deviceDeployments.allOpen(deviceId)) {
        await changeStatus(records, open, "aborted", now);
      }
    });
  }

  /** What a device has done, newest first; what was deleted from its history is marked. */
  history(deviceId: string, filter: DeviceDeploymentFilter | undefined, paging: Paging): Promise<Page<HistoryEntry>> {
    return this.#storage.read(async (records) => {
      const statuses = filter === undefined ? undefined : statusesOf(filter);
      const { items, total } = await records.deviceDeployments.history(deviceId, statuses, paging);
      const devices = await presentDeviceDeployments(records, items);
      const found = await records.deployments.findAll(items.map((item) => item.deployment_id));
      const deployments = new Map((await presentDeployments(records, found)).map((one) => [one.id, one]));
      const entries = devices.flatMap((device) => {
        const deployment = deployments.get(device.deploymentId);
        return deployment === undefined ? [] : [{ deployment, device }];
      });
      return { items: entries, total };
    });
  }

  /** Delete what the device has finished from its history. None of it is offered again. */
  deleteHistory(deviceId: string): Promise<void> {
    return this.#storage.transaction(({ deviceDeployments }) =>
      deviceDeployments.hideFinished(deviceId, this.#system.clock.now()),
    );
  }
}

async function mustExist(records: Records, id: string): Promise<void> {
  if ((await records.deployments.find(id)) === undefined) throw notFound();
}
