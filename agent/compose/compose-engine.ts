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

const lazyArtifacts = new Lazy(async () => {
  const { openArtifact, gunzipReusingBuffers } = await import("@upkeep/shared/artifact");
  return { openArtifact, gunzipReusingBuffers };
});

/** `openArtifact` of `@upkeep/shared/artifact`, loaded with the first artifact. The engine keeps no piece of content. */
function standardOpenArtifact(door: Pick<Door, "decompressors">): OpenArtifact {
  return async function openArtifact(source, options) {
    const { openArtifact, gunzipReusingBuffers } = await lazyArtifacts.get();
    const decompressors = door.decompressors ?? { gzip: gunzipReusingBuffers };
    return await openArtifact(source, { ...options, decompressors });
  };
}

const lazyAdaptive = new Lazy(async () => (await import("../adaptive/index.ts")).openAdaptively);

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
    openAdaptively: () => lazyAdaptive.get(),
    retryDelays: (attempt, retryAfterMs) => pauseBeforeRetry(backoff, attempt, system.random.fraction(), retryAfterMs),
    ...own,
    openArtifact,
  });
}
