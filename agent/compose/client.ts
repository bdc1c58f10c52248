import { given } from "@upkeep/shared/given";
import { isSystemError } from "@upkeep/shared/system";
import { loadEngineKey } from "../device/engine-key.ts";
import { readIdentity } from "../device/identity.ts";
import { type DeviceKey, type KeyLocation, loadDeviceKey } from "../device/keys.ts";
import { AgentError } from "../errors.ts";
import { DeviceClient, type OpenRanges } from "../server/client.ts";
import { type DownloadSettings, Downloads } from "../server/download.ts";
import { Servers } from "../server/failover.ts";
import { type Http, HttpClient } from "../server/http.ts";
import { Login } from "../server/login.ts";
import { proxiesFrom } from "../server/proxies.ts";
import { VERSION } from "../version.ts";
import type { AgentContext, HeldDevice } from "./context.ts";
import { downloadSettings, httpSettings, keyFile } from "./from-config.ts";
import { Lazy } from "./lazy.ts";
import { tlsOptions } from "./pem.ts";

async function makeHttpClient(context: AgentContext): Promise<HttpClient> {
  const { system, environment, config, parts } = context;
  const version = await parts.make("version", () => VERSION);
  const tls = await tlsOptions(context);
  return new HttpClient(system, { tls, proxies: proxiesFrom(environment), ...httpSettings(config), version });
}

const lazyRanges = new Lazy(async () => (await import("../server/ranges.ts")).Ranges);

/** How to read parts of artifacts; `undefined` if the device is not to download adaptively. */
function rangesOpener(
  { system, config, log }: AgentContext,
  http: Http,
  settings: DownloadSettings,
): OpenRanges | undefined {
  if (!config.adaptiveDownloads) return undefined;
  return async (objects, options) => {
    const Ranges = await lazyRanges.get();
    return new Ranges({ system, http, settings, log, objects, ...options });
  };
}

/** Downloads of links that an operator gives: they need no login. */
export async function createDownloads(context: AgentContext): Promise<Downloads> {
  const { system, config, log, parts } = context;
  const http = await parts.make("http", () => makeHttpClient(context));
  return new Downloads(system, http, await parts.make("downloadSettings", () => downloadSettings(config)), log);
}

/** Where the device's key is, or where it is made. */
export function keyLocation({ config, paths }: Pick<AgentContext, "config" | "paths">): KeyLocation {
  const { staticKey, keyType } = config;
  if (staticKey === undefined) return { path: keyFile({ paths }), generate: keyType };
  // The part behind `?` or `;` may hold a PIN.
  return { path: "path" in staticKey ? staticKey.path : (/^[^?;]*/.exec(staticKey.uri)?.[0] ?? "pkcs11:") };
}

/** Where openssl finds what it signs: in memory if possible, as the disk may be full. */
async function scratchDirectory({ system, paths }: AgentContext): Promise<string> {
  try {
    await system.files.makeDirectory(paths.run, 0o755);
    return paths.run;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return paths.datastore;
  }
}

/** The key that identifies the device. A missing key is made, unless the configuration names one. */
async function deviceKey(context: AgentContext, passphrase: string | undefined): Promise<DeviceKey> {
  const { config, system, log } = context;
  const { staticKey } = config;
  if (staticKey !== undefined && "uri" in staticKey)
    return await loadEngineKey(system, staticKey, await scratchDirectory(context));
  const location = keyLocation(context);
  return await loadDeviceKey(
    system.files,
    { ...location, ...given({ passphrase }) },
    () => log.info(`a new key was made, ${location.path}: to the server this is a new device`),
    (message) => log.warning(message),
  );
}

/**
 * The device's key; or, while the disk cannot be read, a function that tries again to load it. An unreadable key is
 * never replaced by a new one.
 */
async function keyWhenPossible(
  context: AgentContext,
  passphrase: string | undefined,
): Promise<DeviceKey | (() => Promise<DeviceKey>)> {
  try {
    return await deviceKey(context, passphrase);
  } catch (error) {
    if (!(error instanceof AgentError) || !isSystemError(error.cause)) throw error;
    context.log.error(`${error.message}; the device cannot log in until it can`, { code: error.code });
    let loaded: DeviceKey | undefined;
    return async () => {
      loaded ??= await deviceKey(context, passphrase);
      return loaded;
    };
  }
}

/**
 * The client of the configured servers. Makes the device's key if there is none.
 * @param passphrase Of the device's key, if it is encrypted.
 */
export async function createDeviceClient(device: HeldDevice, passphrase?: string): Promise<DeviceClient> {
  const { config, paths, system, log, parts } = device;
  const key = await parts.make("key", () => keyWhenPossible(device, passphrase));
  const identity = await parts.make("identity", () => async (signal?: AbortSignal) => {
    return await readIdentity(system, paths.identityScript, signal);
  });
  const http = await parts.make("http", () => makeHttpClient(device));
  const settings = await parts.make("downloadSettings", () => downloadSettings(config));
  const downloads = new Downloads(system, http, settings, log);
  const servers = await parts.make("servers", () => new Servers(config.servers, system.clock, config.serverRetryMs));
  const login = new Login(http, {
    tenantToken: config.tenantToken,
    tier: config.deviceTier,
    key,
    readIdentity: identity,
  });
  const openRanges = rangesOpener(device, http, settings);
  return await parts.make("client", () => new DeviceClient(http, login, downloads, servers, openRanges));
}
