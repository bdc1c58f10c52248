import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Agent as PlainAgent } from "node:http";
import { Agent as TlsAgent } from "node:https";
import { createSecureContext, rootCertificates, type SecureContext, type SecureContextOptions } from "node:tls";
import { given } from "@upkeep/shared/given";
import { SystemError, type TlsOptions } from "@upkeep/shared/system";
import { type HttpProxy, type Trust, TunnelAgent } from "./tunnel.ts";

/** Where Linux systems keep the certificates that they trust, as one file. */
const SYSTEM_BUNDLES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

export const KEPT_CONNECTIONS_MAX = 2;

/** A connection is kept for the next request of the same round, not until the next poll. */
const KEEP_ALIVE = { keepAlive: true, timeout: 4000, maxSockets: 8, maxFreeSockets: KEPT_CONNECTIONS_MAX };

/** The system's certificates, or Node's own list where the system has none. */
function systemCertificates(): string[] {
  const named = process.env.SSL_CERT_FILE;
  const bundle = [...(named ? [named] : []), ...SYSTEM_BUNDLES].find((path) => existsSync(path));
  return bundle === undefined ? [...rootCertificates] : [readFileSync(bundle, "utf8")];
}

/** Finds the directory of OpenSSL's engines. The OpenSSL inside Node looks elsewhere. */
function findEngines(engine: string): string | undefined {
  const parents = ["/usr/lib", "/usr/lib64", "/usr/local/lib", ...multiarch()];
  const folders = parents.flatMap((parent) => [`${parent}/engines-3`, `${parent}/engines-1.1`]);
  return folders.find((folder) => existsSync(`${folder}/${engine}.so`));
}

/** Debian's directories, such as /usr/lib/aarch64-linux-gnu. */
function multiarch(): string[] {
  return readdirSync("/usr/lib")
    .filter((name) => name.includes("-linux-gnu"))
    .map((name) => `/usr/lib/${name}`);
}

/** @throws SystemError with code EENGINE if this Node, or its OpenSSL, cannot use the key. */
function contextWithEngine(engine: string, options: SecureContextOptions): SecureContext {
  const folder = process.env.OPENSSL_ENGINES ?? findEngines(engine);
  // OpenSSL reads the variable when it loads the engine.
  if (folder !== undefined) process.env.OPENSSL_ENGINES = folder;
  try {
    return createSecureContext(options);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const where = folder === undefined ? `; no ${engine}.so was found where systems keep engines` : ` in ${folder}`;
    throw new SystemError("EENGINE", `Node ${process.version} cannot use the key through '${engine}'${where}: ${why}`, {
      cause: error,
    });
  }
}

/** Trusted certificates and the own one; TLS 1.2 or newer in any case. */
function secureContext(options: TlsOptions): SecureContext {
  const { trusted, certificate, key, keyInEngine } = options;
  const settings: SecureContextOptions = {
    ca: [...systemCertificates(), ...(trusted === undefined ? [] : [trusted])],
    ...given({ cert: certificate, key }),
    minVersion: "TLSv1.2",
  };
  if (keyInEngine === undefined) return createSecureContext(settings);
  const { engine, id } = keyInEngine;
  return contextWithEngine(engine, { ...settings, privateKeyEngine: engine, privateKeyIdentifier: id });
}

/** How long an unused agent is kept: after that the connections of the round are closed. */
const KEPT_MS = 10_000;

/** One agent per trust settings and proxy; it has the parsed certificates and the TLS sessions of one round. */
const agents = new Map<string, { readonly agent: TlsAgent; readonly forget: NodeJS.Timeout }>();

export const plainAgent = new PlainAgent(KEEP_ALIVE);

/** The trust settings without the device's certificate, which a proxy must not see. */
function trustOnly({ trusted, skipVerify }: TlsOptions): Trust {
  const options = trusted === undefined ? {} : { trusted };
  return { context: () => secureContext(options), rejectUnauthorized: skipVerify !== true };
}

/**
 * The agent for a TLS connection to the peer, through `proxy` if there is one. An unused agent is dropped after
 * {@link KEPT_MS}: the parsed certificates take memory that an idle device needs.
 */
export function tlsAgent(options: TlsOptions = {}, proxy?: HttpProxy): TlsAgent {
  const { trusted, certificate, key, keyInEngine, skipVerify } = options;
  const name = JSON.stringify([trusted, certificate, key, keyInEngine, skipVerify, proxy]);
  const known = agents.get(name);
  if (known !== undefined) {
    known.forget.refresh();
    return known.agent;
  }
  const settings = {
    ...KEEP_ALIVE,
    // Parsed once for all connections.
    secureContext: secureContext(options),
    rejectUnauthorized: skipVerify !== true,
  };
  const agent = proxy === undefined ? new TlsAgent(settings) : new TunnelAgent(settings, proxy, trustOnly(options));
  // Requests that are under way keep their agent; the next one gets a new one.
  const forget = setTimeout(() => agents.delete(name), KEPT_MS);
  forget.unref();
  agents.set(name, { agent, forget });
  return agent;
}
