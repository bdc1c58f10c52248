/** The settings of each part of the agent, taken from the configuration. */

import type { LoadedConfig } from "../config/load.ts";
import type { AgentConfig } from "../config/settings.ts";
import type { TaskSettings } from "../daemon/schedule.ts";
import type { BackoffSchedule } from "../server/backoff.ts";
import type { DownloadSettings } from "../server/download.ts";
import type { HttpSettings } from "../server/http.ts";
import type { UpdatePaths, UpdateSettings } from "../update/update-settings.ts";

export function httpSettings(config: AgentConfig): Omit<HttpSettings, "tls" | "proxies" | "version"> {
  const { redirectHosts, servers, connectionIdleMs, answerMsMax } = config;
  return { redirectHosts, servers, connectionIdleMs, answerMsMax };
}

export function downloadSettings(config: AgentConfig): DownloadSettings {
  const { retryDownloadCount, retryPollIntervalMs, downloadBytesPerSecond, artifactVerifyKeys } = config;
  return {
    triesMax: retryDownloadCount,
    pauseMsMax: retryPollIntervalMs,
    bytesPerSecondMax: downloadBytesPerSecond,
    mayLoseTls: artifactVerifyKeys.length > 0,
  };
}

export function backoffSchedule({ retryPollIntervalMs, retryPollCount }: AgentConfig): BackoffSchedule {
  return { longestMs: retryPollIntervalMs, count: retryPollCount };
}

/** When to poll and when to send the inventory. With windows for polls there are no intervals between them. */
export function taskSettings(config: AgentConfig): Record<"polls" | "inventories", TaskSettings> {
  const { windows, updatePollIntervalMs, inventoryPollIntervalMs, pollJitter: jitter } = config;
  const backoff = backoffSchedule(config);
  return {
    polls: {
      intervalMs: windows.polls === undefined ? updatePollIntervalMs : Number.POSITIVE_INFINITY,
      jitter,
      backoff,
    },
    inventories: { intervalMs: inventoryPollIntervalMs, jitter, backoff },
  };
}

/** What the update engine is told otherwise than by default; the keys are those that the configuration names. */
export function updateSettings(config: AgentConfig, verifyKeys: readonly string[]): Partial<UpdateSettings> {
  const { moduleTimeoutMs, scriptTimeoutMs, scriptRetryTimeoutMs, scriptRetryIntervalMs } = config;
  const { commitTimeoutMs, commitConnectivity, abortCheckMs, adaptiveSeeds, noexecPrograms } = config;
  return {
    verifyKeys,
    moduleTimeoutMs,
    scriptTimeoutMs,
    scriptRetryTimeoutMs,
    scriptRetryIntervalMs,
    commitTimeoutMs,
    commitConnectivity,
    abortCheckMs,
    adaptiveSeeds,
    noexecPrograms,
  };
}

export function updatePaths({ config, paths }: Pick<LoadedConfig, "config" | "paths">): UpdatePaths {
  const { datastore, modules, rootfsScripts } = paths;
  return { datastore, logs: config.updateLogPath ?? datastore, modules, rootfsScripts };
}

/** The file that tells the type of the device. */
export function deviceTypeFile({ config, paths }: Pick<LoadedConfig, "config" | "paths">): string {
  return config.deviceTypeFile ?? `${paths.datastore}/device_type`;
}

/** The file of the device's key, unless the configuration names another one. */
export function keyFile({ paths }: Pick<LoadedConfig, "paths">): string {
  return `${paths.datastore}/mender-agent.pem`;
}

/** The file that says what a new device has installed. It is removed when it has been taken over. */
export function bootstrapArtifactFile({ paths }: Pick<LoadedConfig, "paths">): string {
  return `${paths.datastore}/bootstrap.mender`;
}
