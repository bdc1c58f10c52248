import { given } from "@upkeep/shared/given";
import { pauseBeforeRetry } from "../server/backoff.ts";
import {
  DEFAULT_UPDATE_SETTINGS,
  type DeploymentServer,
  type OpenArtifact,
  type ProgressEvent,
  UpdateEngine,
} from "../update/index.ts";
import type { Door, HeldDevice } from "./context.ts";
import { backoffSchedule, updatePaths, updateSettings } from "./from-config.ts";
import { Lazy } from "./lazy.ts";
import { readVerifyKeys } from "./pem.ts";

export interface EngineParts {
  readonly server?: DeploymentServer;
  readonly onProgress?: (event: ProgressEvent) => void;
  /** Opens artifacts in another way than `openArtifact` of `@upkeep/shared/artifact`. */
  readonly openArtifact?: OpenArtifact;
}

const lazyOpenArtifact = new Lazy(async () => (await import("@upkeep/shared/artifact")).openArtifact);

/** `openArtifact` of `@upkeep/shared/artifact`, loaded with the first artifact. */
function standardOpenArtifact({ decompressors }: Pick<Door, "decompressors">): OpenArtifact {
  return async function openArtifact(source, options) {
    return await (await lazyOpenArtifact.get())(source, { ...options, ...given({ decompressors }) });
  };
}

export async function createEngine(device: HeldDevice, own: EngineParts = {}): Promise<UpdateEngine> {
  const { config, system, log, store, deviceType, parts } = device;
  const settings = await parts.make("updateSettings", async () => ({
    ...DEFAULT_UPDATE_SETTINGS,
    ...updateSettings(config, await readVerifyKeys(device)),
  }));
  const openArtifact = own.openArtifact ?? (await parts.make("openArtifact", () => standardOpenArtifact(device)));
  const backoff = backoffSchedule(config);
  return new UpdateEngine({
    system,
    logger: log,
    store,
    paths: updatePaths(device),
    settings,
    deviceType,
    retryDelays: (attempt, retryAfterMs) => pauseBeforeRetry(backoff, attempt, system.random.fraction(), retryAfterMs),
    ...own,
    openArtifact,
  });
}
