import type { LogLevel } from "@upkeep/shared/logging";
import { AgentError } from "../errors.ts";
import type { ConfigValues } from "./file.ts";
import type { KeyType as TypeOfKey } from "./keys.ts";
import { KEYS } from "./keys.ts";

/** How an executable on a file system mounted noexec is treated. */
export type NoexecPrograms = "fail" | "interpreter";

export type DeviceKeyType = "ed25519" | "rsa3072";

/** Where a private key is: in a PEM file, or in hardware, to be reached through an engine of OpenSSL. */
export type KeyPlace = { readonly path: string } | { readonly engine: string; readonly uri: string };

/** The certificate that the device shows to servers. */
export interface ClientCertificate {
  readonly certificate: string;
  readonly key: KeyPlace;
  /** Holds the passphrase of the key. */
  readonly passphraseFile?: string;
}

/** When to poll and when to install: cron expressions of five fields. */
export interface WindowSettings {
  readonly polls: string | undefined;
  readonly installs: string | undefined;
  /** IANA name; the machine's own zone when absent. */
  readonly timezone: string | undefined;
  /** The longest random delay of each start. */
  readonly randomDelayMs: number;
}

/** The configuration, complete and in the agent's own terms. Times are milliseconds, paths absolute. */
export interface AgentConfig {
  /** In order of preference; empty when none is configured. Without a slash at the end. */
  readonly servers: readonly string[];
  readonly tenantToken: string;
  readonly deviceTier: string;
  readonly serverCertificate: string | undefined;
  readonly skipVerify: boolean;
  readonly clientCertificate: ClientCertificate | undefined;
  readonly staticKey: KeyPlace | undefined;
  readonly keyType: DeviceKeyType;
  readonly updatePollIntervalMs: number;
  readonly inventoryPollIntervalMs: number;
  /** Up to this share of an interval is added to it, 0 to 1. */
  readonly pollJitter: number;
  /** The longest that the first poll after the machine's start waits. */
  readonly firstPollDelayMs: number;
  readonly windows: WindowSettings;
  readonly retryPollIntervalMs: number;
  readonly retryPollCount: number;
  readonly retryDownloadCount: number;
  readonly connectionIdleMs: number;
  readonly answerMsMax: number;
  /** Bytes per second; 0: no limit. */
  readonly downloadBytesPerSecond: number;
  readonly adaptiveDownloads: boolean;
  readonly adaptiveSeeds: readonly string[];
  readonly redirectHosts: readonly string[];
  /** How long a server that failed is asked last. */
  readonly serverRetryMs: number;
  readonly moduleTimeoutMs: number;
  readonly scriptTimeoutMs: number;
  readonly scriptRetryTimeoutMs: number;
  readonly scriptRetryIntervalMs: number;
  readonly commitTimeoutMs: number;
  readonly commitConnectivity: "server" | "local";
  /** 0: never. */
  readonly abortCheckMs: number;
  readonly noexecPrograms: NoexecPrograms;
  readonly artifactVerifyKeys: readonly string[];
  readonly deviceTypeFile: string | undefined;
  readonly updateLogPath: string | undefined;
  readonly logLevel: LogLevel;
}

type Place = (path: string) => string;

const SECOND_MS = 1000;

/** Pairs of keys of which one excludes the other. */
const RIVALS = [
  ["ServerURL", "Servers"],
  ["ArtifactVerifyKey", "ArtifactVerifyKeys"],
] as const;

/**
 * Lays the main file over the fallback, key by key. A list in one and its single form in the other are the
 * same setting: the main file's wins.
 * @throws AgentError `config-invalid` if one file has both forms.
 */
export function overlay(fallback: ConfigValues, main: ConfigValues): ConfigValues {
  const below: Record<string, unknown> = { ...fallback };
  for (const [one, list] of RIVALS) {
    for (const values of [fallback, main]) {
      if (values[one] !== undefined && values[list] !== undefined) {
        throw new AgentError("config-invalid", `${one} and ${list} are both configured; only one of them may be`);
      }
    }
    if (main[one] !== undefined) delete below[list];
    if (main[list] !== undefined) delete below[one];
  }
  return { ...below, ...main } as ConfigValues;
}

type WithDefault = {
  [K in keyof typeof KEYS]: (typeof KEYS)[K] extends { default: unknown } ? K : never;
}[keyof typeof KEYS];

/** The value of a key, or its default. */
function held<K extends WithDefault>(values: ConfigValues, key: K): NonNullable<ConfigValues[K]> {
  const facts: { readonly type: TypeOfKey; readonly default: unknown } = KEYS[key];
  return (values[key] ?? facts.default) as NonNullable<ConfigValues[K]>;
}

function keyPlace(key: string, engine: string, place: Place): KeyPlace {
  return key.startsWith("pkcs11:") ? { engine, uri: key } : { path: place(key) };
}

function clientCertificate(values: ConfigValues, place: Place): AgentConfig["clientCertificate"] {
  const { "HttpsClient.Certificate": certificate, "HttpsClient.Key": key } = values;
  const passphraseFile = values["HttpsClient.PassphraseFile"];
  if (passphraseFile !== undefined && key?.startsWith("/") !== true) {
    const why =
      key === undefined
        ? "HttpsClient.Key is not"
        : "HttpsClient.Key is in hardware (give its PIN there, as pin-source=file:…)";
    throw new AgentError("config-invalid", `HttpsClient.PassphraseFile is configured, but ${why}`);
  }
  if (certificate !== undefined && key !== undefined) {
    return {
      certificate: place(certificate),
      key: keyPlace(key, held(values, "HttpsClient.SSLEngine"), place),
      ...(passphraseFile === undefined ? {} : { passphraseFile: place(passphraseFile) }),
    };
  }
  if (certificate === undefined && key === undefined) return undefined;
  const [there, missing] = key === undefined ? ["Certificate", "Key"] : ["Key", "Certificate"];
  throw new AgentError("config-invalid", `HttpsClient.${there} is configured, but HttpsClient.${missing} is not`);
}

/**
 * @param place Where a path of the configuration is to be found (see `PathOptions.root`).
 * @throws AgentError `config-invalid` where keys contradict each other.
 */
export function settingsFrom(values: ConfigValues, place: Place = (path) => path): AgentConfig {
  const placed = (path: string | undefined): string | undefined => (path === undefined ? undefined : place(path));
  const staticKey = values["Security.AuthPrivateKey"];
  const ms = (key: WithDefault): number => Number(held(values, key)) * SECOND_MS;
  const urls = values.Servers?.map(({ ServerURL }) => ServerURL) ?? (values.ServerURL ? [values.ServerURL] : []);
  const keys = values.ArtifactVerifyKeys ?? (values.ArtifactVerifyKey ? [values.ArtifactVerifyKey] : []);
  return {
    servers: [...new Set(urls.map((url) => url.replace(/\/+$/, "")))],
    tenantToken: held(values, "TenantToken"),
    deviceTier: held(values, "DeviceTier"),
    serverCertificate: placed(values.ServerCertificate),
    skipVerify: held(values, "SkipVerify"),
    clientCertificate: clientCertificate(values, place),
    staticKey: staticKey === undefined ? undefined : keyPlace(staticKey, held(values, "Security.SSLEngine"), place),
    keyType: held(values, "KeyType") as DeviceKeyType,
    updatePollIntervalMs: ms("UpdatePollIntervalSeconds"),
    inventoryPollIntervalMs: ms("InventoryPollIntervalSeconds"),
    pollJitter: held(values, "PollJitterPercent") / 100,
    firstPollDelayMs: ms("FirstPollDelaySeconds"),
    windows: {
      polls: values.UpdatePollSchedule,
      installs: values.InstallWindow,
      timezone: values.ScheduleTimezone,
      randomDelayMs: ms("ScheduleRandomDelaySeconds"),
    },
    retryPollIntervalMs: ms("RetryPollIntervalSeconds"),
    retryPollCount: held(values, "RetryPollCount"),
    retryDownloadCount: held(values, "RetryDownloadCount"),
    connectionIdleMs: ms("ConnectionIdleSeconds"),
    answerMsMax: ms("AnswerTimeoutSeconds"),
    downloadBytesPerSecond: held(values, "DownloadKilobytesPerSecond") * 1000,
    adaptiveDownloads: held(values, "AdaptiveDownloads"),
    adaptiveSeeds: (values.AdaptiveSeeds ?? []).map(place),
    redirectHosts: values.RedirectHosts ?? [],
    serverRetryMs: ms("ServerRetrySeconds"),
    moduleTimeoutMs: ms("ModuleTimeoutSeconds"),
    scriptTimeoutMs: ms("StateScriptTimeoutSeconds"),
    scriptRetryTimeoutMs: ms("StateScriptRetryTimeoutSeconds"),
    scriptRetryIntervalMs: ms("StateScriptRetryIntervalSeconds"),
    commitTimeoutMs: ms("CommitTimeoutSeconds"),
    commitConnectivity: held(values, "CommitConnectivity") as AgentConfig["commitConnectivity"],
    abortCheckMs: ms("AbortCheckIntervalSeconds"),
    noexecPrograms: held(values, "NoexecPrograms") as NoexecPrograms,
    artifactVerifyKeys: [...new Set(keys)].map(place),
    deviceTypeFile: placed(values.DeviceTypeFile),
    updateLogPath: placed(values.UpdateLogPath),
    logLevel: held(values, "DaemonLogLevel") as LogLevel,
  };
}
