import type { Storage } from "../storage/index.ts";
import type { NewDeployment } from "./creation/new-deployment.ts";
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
}
