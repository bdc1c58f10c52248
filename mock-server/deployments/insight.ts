import type { Clock } from "@upkeep/shared/system";
import type { FailureFilter } from "../storage/failures.ts";
import type { Storage } from "../storage/index.ts";
import type { NewDeployment } from "./creation/new-deployment.ts";
import { type FailureGroup, failuresByReason } from "./failures.ts";
import { type Preview, previewDeployment } from "./preview/preview.ts";
import { type Progress, type ProgressRange, progressOf } from "./progress.ts";
import { type Timeline, timelineOf } from "./timeline.ts";

/** What deployments would do, do, and did, for people. Changes nothing. */
export class DeploymentInsight {
  readonly #storage: Storage;
  readonly #clock: Clock;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** See {@link previewDeployment}. */
  preview(request: NewDeployment): Promise<Preview> {
    return previewDeployment(this.#storage, request);
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
}
