import { given } from "@upkeep/shared/given";
import type { Clock } from "@upkeep/shared/system";
import type { Contacts } from "../devices/contacts.ts";
import { notFound } from "../errors.ts";
import type { FailureFilter } from "../storage/failures.ts";
import type { DeviceDeploymentSearch, DeviceRecord, Page, Paging, Storage } from "../storage/index.ts";
import type { NewDeployment } from "./creation/new-deployment.ts";
import { type DeviceDeployment, presentDeviceDeployments } from "./device-deployment/view.ts";
import { type FailureGroup, failuresByReason } from "./failures.ts";
import { type LogPage, type LogQuery, readLog } from "./log-page.ts";
import { type Preview, previewDeployment } from "./preview/preview.ts";
import { type Progress, type ProgressRange, progressOf } from "./progress.ts";
import { type Timeline, timelineOf } from "./timeline.ts";
import { type WaitingFor, waitingFor } from "./waiting.ts";

/** What deployments would do, do, and did, for people. Changes nothing. */
export class DeploymentInsight {
  readonly #storage: Storage;
  readonly #clock: Clock;

  readonly #contacts: Pick<Contacts, "of">;

  constructor(storage: Storage, clock: Clock, contacts: Pick<Contacts, "of">) {
    this.#contacts = contacts;
    this.#storage = storage;
    this.#clock = clock;
  }

  /** See {@link previewDeployment}. @param signal Ends it. */
  preview(request: NewDeployment, signal?: AbortSignal): Promise<Preview> {
    return previewDeployment(this.#storage, request, given({ signal }));
  }

  /** See {@link failuresByReason}. */
  failures(filter: FailureFilter): Promise<readonly FailureGroup[]> {
    return this.#storage.read((records) => failuresByReason(records, filter));
  }

  /** See {@link timelineOf}. */
  timeline(deploymentId: string, deviceId: string): Promise<Timeline> {
    return this.#storage.read((records) => timelineOf(records, deploymentId, deviceId));
  }

  /** See {@link progressOf}. */
  progress(deploymentId: string, range: ProgressRange): Promise<Progress> {
    return progressOf(this.#storage, deploymentId, range, this.#clock.now());
  }

  /** A log, or a part of it. @throws DomainError (log-not-found) */
  log(deploymentId: string, deviceId: string, query: LogQuery): Promise<LogPage> {
    return this.#storage.read((records) => readLog(records, deploymentId, deviceId, query));
  }

  /**
   * Device deployments of a deployment, with what the unfinished ones wait for.
   * @throws DomainError (not-found)
   */
  devices(deploymentId: string, search: DeviceDeploymentSearch, paging: Paging): Promise<Page<WatchedDevice>> {
    return this.#storage.read(async (records) => {
      const deployment = await records.deployments.find(deploymentId);
      if (deployment === undefined) throw notFound();
      const { items: rows, total } = await records.deviceDeploymentLists.search(deploymentId, search, paging);
      const lastContact = (device: DeviceRecord) => this.#contacts.of(device).lastContactMs;
      const waiting = await waitingFor(records, deployment, rows, lastContact, this.#clock.now());
      const items = (await presentDeviceDeployments(records, rows)).map((device, index) => {
        const row = rows[index];
        const asked = row?.created_ms !== null || row.finished_ms !== null;
        // One that has not polled yet waits since the deployment was created.
        const createdMs = asked ? device.createdMs : deployment.created_ms;
        return { ...device, createdMs, asked, ...given({ waitingFor: waiting.get(device.deviceId) }) };
      });
      return { items, total };
    });
  }
}

/** A device deployment, and what it waits for. */
export interface WatchedDevice extends DeviceDeployment {
  /** The device has polled for the deployment. */
  readonly asked: boolean;
  readonly waitingFor?: WaitingFor;
}
