import type { FailureFilter } from "../storage/failures.ts";
import type { Storage } from "../storage/index.ts";
import type { NewDeployment } from "./creation/new-deployment.ts";
import { type FailureGroup, failuresByReason } from "./failures.ts";
import { type Preview, previewDeployment } from "./preview/preview.ts";

/** What deployments would do, do, and did, for people. Changes nothing. */
export class DeploymentInsight {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** See {@link previewDeployment}. */
  preview(request: NewDeployment): Promise<Preview> {
    return previewDeployment(this.#storage, request);
  }

  /** See {@link failuresByReason}. */
  failures(filter: FailureFilter): Promise<readonly FailureGroup[]> {
    return this.#storage.read((records) => failuresByReason(records, filter));
  }
}
