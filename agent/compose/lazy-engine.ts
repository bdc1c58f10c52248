import type { DeploymentInstructions } from "@upkeep/shared/protocol";
import type { PendingEngine } from "../daemon/observed.ts";
import type { DeploymentResult, UpdateEngine } from "../update/index.ts";
import { deploymentOf } from "../update/journal.ts";
import type { EngineParts } from "./compose-engine.ts";
import type { HeldDevice } from "./context.ts";
import { Lazy } from "./lazy.ts";
import { logParts } from "./parts.ts";

const lazyCreateEngine = new Lazy(async () => (await import("./compose-engine.ts")).createEngine);

/** The update engine, loaded for the first update: a daemon that only polls does without its memory. */
export class LazyEngine implements PendingEngine {
  readonly #device: HeldDevice;
  readonly #parts: EngineParts;
  #loaded: UpdateEngine | undefined;

  constructor(device: HeldDevice, parts: EngineParts) {
    this.#device = device;
    this.#parts = parts;
  }

  get pending(): PendingEngine["pending"] {
    if (this.#loaded !== undefined) return this.#loaded.pending;
    const { update } = this.#device.store;
    return update && { deployment: deploymentOf(update) ?? undefined, artifactName: update.artifact?.name };
  }

  async runDeployment(instructions: DeploymentInstructions, signal: AbortSignal): Promise<DeploymentResult> {
    return await (await this.#load()).runDeployment(instructions, signal);
  }

  async resume(signal: AbortSignal): Promise<DeploymentResult | undefined> {
    const { store } = this.#device;
    if (this.#loaded === undefined) {
      await store.recover();
      if (store.update === undefined) return undefined;
    }
    return await (await this.#load()).resume(signal);
  }

  async #load(): Promise<UpdateEngine> {
    if (this.#loaded === undefined) {
      const createEngine = await lazyCreateEngine.get();
      this.#loaded = await createEngine(this.#device, this.#parts);
      logParts(this.#device);
    }
    return this.#loaded;
  }
}
