import { openArtifact } from "@upkeep/shared/artifact";
import { readIdentity } from "../device/identity.ts";
import { loadDeviceKey } from "../device/keys.ts";
import { type BackoffSchedule, pauseBeforeRetry } from "../server/backoff.ts";
import { DeviceClient } from "../server/client.ts";
import { Downloads } from "../server/download.ts";
import { HttpClient } from "../server/http.ts";
import { Login } from "../server/login.ts";
import { DEFAULT_UPDATE_SETTINGS, type DeploymentServer, type ProgressEvent, UpdateEngine } from "../update/index.ts";
import { type Agent, readPem, tlsOptions } from "./agent.ts";
import { VERSION } from "./version.ts";

export function backoffOf({ config }: Agent): BackoffSchedule {
  return { longestMs: config.retryPollIntervalMs, count: config.retryPollCount };
}

async function httpClient(agent: Agent): Promise<HttpClient> {
  const { connectionIdleMs } = agent.config;
  return new HttpClient(agent.system, { tls: await tlsOptions(agent), connectionIdleMs, version: VERSION });
}

function downloadsOf(agent: Agent, http: HttpClient): Downloads {
  const { retryDownloadCount, retryPollIntervalMs } = agent.config;
  const settings = { triesMax: retryDownloadCount, pauseMsMax: retryPollIntervalMs };
  return new Downloads(agent.system, http, settings, agent.log);
}

/** Downloads without a server's permission: of links that a person gives. */
export async function createDownloads(agent: Agent): Promise<Downloads> {
  return downloadsOf(agent, await httpClient(agent));
}

/** The client of the configured servers. Makes the device's key if there is none. */
export async function createDeviceClient(agent: Agent): Promise<DeviceClient> {
  const { config, paths, system, log } = agent;
  const { staticKey, keyType } = config;
  const generated = `${paths.datastore}/mender-agent.pem`;
  const key = await loadDeviceKey(
    system.files,
    staticKey === undefined ? { path: generated, generate: keyType } : { path: staticKey },
    () => log.info(`a new key was made, ${generated}: to the server this is a new device`),
  );
  const http = await httpClient(agent);
  const login = new Login(http, {
    servers: config.servers,
    tenantToken: config.tenantToken,
    tier: config.deviceTier,
    key,
    readIdentity: () => readIdentity(system, paths.identityScript),
  });
  return new DeviceClient(http, login, downloadsOf(agent, http));
}

export interface EngineParts {
  readonly server?: DeploymentServer;
  readonly onProgress?: (event: ProgressEvent) => void;
}

export async function createEngine(agent: Agent, parts: EngineParts): Promise<UpdateEngine> {
  const { config, paths, system, log, store, deviceType } = agent;
  const verifyKeys: string[] = [];
  for (const path of config.artifactVerifyKeys) verifyKeys.push(await readPem(agent, "ArtifactVerifyKey", path));
  const backoff = backoffOf(agent);
  return new UpdateEngine({
    system,
    logger: log,
    store,
    paths: {
      datastore: paths.datastore,
      logs: config.updateLogPath ?? paths.datastore,
      modules: paths.modules,
      rootfsScripts: paths.rootfsScripts,
    },
    settings: {
      ...DEFAULT_UPDATE_SETTINGS,
      verifyKeys,
      moduleTimeoutMs: config.moduleTimeoutMs,
      scriptTimeoutMs: config.scriptTimeoutMs,
      scriptRetryTimeoutMs: config.scriptRetryTimeoutMs,
      scriptRetryIntervalMs: config.scriptRetryIntervalMs,
    },
    openArtifact,
    deviceType,
    retryDelays: (attempt, retryAfterMs) => pauseBeforeRetry(backoff, attempt, system.random.fraction(), retryAfterMs),
    ...parts,
  });
}
