import { isSystemError } from "@upkeep/shared/system";
import { downloadSettings, httpSettings, keyFile } from "../compose/from-config.ts";
import { loadEngineKey } from "../device/engine-key.ts";
import { readIdentity } from "../device/identity.ts";
import { type DeviceKey, type KeyLocation, loadDeviceKey } from "../device/keys.ts";
import { AgentError } from "../errors.ts";
import { DeviceClient } from "../server/client.ts";
import { Downloads } from "../server/download.ts";
import { Servers } from "../server/failover.ts";
import { HttpClient } from "../server/http.ts";
import { Login } from "../server/login.ts";
import { proxiesFrom } from "../server/proxies.ts";
import { type Agent, type Base, readPem, tlsOptions } from "./agent.ts";
import { VERSION } from "./version.ts";

async function httpClient(agent: Agent): Promise<HttpClient> {
  return new HttpClient(agent.system, {
    tls: await tlsOptions(agent),
    proxies: proxiesFrom(process.env),
    ...httpSettings(agent.config),
    version: VERSION,
  });
}

function downloadsOf(agent: Agent, http: HttpClient): Downloads {
  return new Downloads(agent.system, http, downloadSettings(agent.config), agent.log);
}

/** Downloads without a server's permission: of links that a person gives. */
export async function createDownloads(agent: Agent): Promise<Downloads> {
  return downloadsOf(agent, await httpClient(agent));
}

/** Where the device's key is, or is made. */
export function keyLocation({ config, paths }: Pick<Base, "config" | "paths">): KeyLocation {
  const { staticKey, keyType } = config;
  if (staticKey === undefined) return { path: keyFile({ paths }), generate: keyType };
  // What stands behind a key's name in hardware may hold a PIN.
  return { path: "path" in staticKey ? staticKey.path : (/^[^?;]*/.exec(staticKey.uri)?.[0] ?? "pkcs11:") };
}

/** Where what is to be signed is put for openssl: in memory if that is possible, as the disk may be full. */
async function scratch({ system, paths }: Agent): Promise<string> {
  try {
    await system.files.makeDirectory(paths.run, 0o755);
    return paths.run;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return paths.datastore;
  }
}

/** The key that identifies the device; made if there is none and it may be. */
async function deviceKey(agent: Agent, passphrase: string | undefined): Promise<DeviceKey> {
  const { config, system, log } = agent;
  const { staticKey } = config;
  if (staticKey !== undefined && "uri" in staticKey)
    return await loadEngineKey(system, staticKey, await scratch(agent));
  const location = keyLocation(agent);
  return await loadDeviceKey(
    system.files,
    passphrase === undefined ? location : { ...location, passphrase },
    () => log.info(`a new key was made, ${location.path}: to the server this is a new device`),
    (message) => log.warning(message),
  );
}

/**
 * The device's key, or, while a disk that cannot be used stands in its way, what tries again to load it. It is not made
 * anew for that: only where there is none.
 */
async function keyWhenPossible(
  agent: Agent,
  passphrase: string | undefined,
): Promise<DeviceKey | (() => Promise<DeviceKey>)> {
  try {
    return await deviceKey(agent, passphrase);
  } catch (error) {
    if (!(error instanceof AgentError) || !isSystemError(error.cause)) throw error;
    agent.log.error(`${error.message}; the device cannot log in until it can`, { code: error.code });
    let loaded: DeviceKey | undefined;
    return async () => {
      loaded ??= await deviceKey(agent, passphrase);
      return loaded;
    };
  }
}

/**
 * The client of the configured servers. Makes the device's key if there is none.
 * @param passphrase Of the device's key, if it is encrypted.
 */
export async function createDeviceClient(agent: Agent, passphrase?: string): Promise<DeviceClient> {
  const { config, paths, system } = agent;
  const key = await keyWhenPossible(agent, passphrase);
  const http = await httpClient(agent);
  const login = new Login(http, {
    tenantToken: config.tenantToken,
    tier: config.deviceTier,
    key,
    readIdentity: () => readIdentity(system, paths.identityScript),
  });
  const servers = new Servers(config.servers, system.clock, config.serverRetryMs);
  return new DeviceClient(http, login, downloadsOf(agent, http), servers);
}

/** The keys that artifacts must be signed with. @throws AgentError `config-unreadable`. */
export async function readVerifyKeys(agent: Agent): Promise<string[]> {
  const keys: string[] = [];
  for (const path of agent.config.artifactVerifyKeys) keys.push(await readPem(agent, "ArtifactVerifyKey", path));
  return keys;
}
