import { backoffSchedule, updatePaths, updateSettings } from "../compose/from-config.ts";
import { pauseBeforeRetry } from "../server/backoff.ts";
import {
  DEFAULT_UPDATE_SETTINGS,
  type DeploymentServer,
  type OpenArtifact,
  type ProgressEvent,
  UpdateEngine,
} from "../update/index.ts";
import type { Agent } from "./agent.ts";
import { readVerifyKeys } from "./parts.ts";

/** Loaded with the first artifact: a daemon that waits for one does not pay for it. */
const openArtifact: OpenArtifact = async (source, options) =>
  await (await import("@upkeep/shared/artifact")).openArtifact(source, options);

export interface EngineParts {
  readonly server?: DeploymentServer;
  readonly onProgress?: (event: ProgressEvent) => void;
  /** Another way to open artifacts than with the keys of the configuration. */
  readonly openArtifact?: OpenArtifact;
}

export async function createEngine(agent: Agent, parts: EngineParts): Promise<UpdateEngine> {
  const { config, system, log, store, deviceType } = agent;
  const verifyKeys = await readVerifyKeys(agent);
  const backoff = backoffSchedule(config);
  return new UpdateEngine({
    system,
    logger: log,
    store,
    paths: updatePaths(agent),
    settings: { ...DEFAULT_UPDATE_SETTINGS, ...updateSettings(config, verifyKeys) },
    openArtifact,
    deviceType,
    retryDelays: (attempt, retryAfterMs) => pauseBeforeRetry(backoff, attempt, system.random.fraction(), retryAfterMs),
    ...parts,
  });
}
