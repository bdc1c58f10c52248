import { existsSync, readFileSync } from "node:fs";
import { Agent as PlainAgent } from "node:http";
import { Agent as TlsAgent } from "node:https";
import { rootCertificates, type SecureContextOptions } from "node:tls";
import type { TlsOptions } from "@upkeep/shared/system";
import { type HttpProxy, TunnelAgent } from "./tunnel.ts";

/** Where Linux systems keep the certificates that they trust, as one file. */
const SYSTEM_BUNDLES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

export const KEPT_CONNECTIONS_MAX = 2;

/** A connection is kept for the next request of the same round, not until the next poll. */
const KEEP_ALIVE = { keepAlive: true, timeout: 4000, maxSockets: 8, maxFreeSockets: KEPT_CONNECTIONS_MAX };

/** What the system trusts, and Node's own list only where the system has none. */
function systemCertificates(): string[] {
  const named = process.env.SSL_CERT_FILE;
  const bundle = [...(named ? [named] : []), ...SYSTEM_BUNDLES].find((path) => existsSync(path));
  return bundle === undefined ? [...rootCertificates] : [readFileSync(bundle, "utf8")];
}

/** Whom to trust, what to show; TLS 1.2 or newer in any case. */
function contextOptions(options: TlsOptions): SecureContextOptions & { rejectUnauthorized: boolean } {
  const { trusted, certificate, key, keyInEngine, skipVerify } = options;
  return {
    ca: [...systemCertificates(), ...(trusted === undefined ? [] : [trusted])],
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
    ...(keyInEngine === undefined
      ? {}
      : { privateKeyEngine: keyInEngine.engine, privateKeyIdentifier: keyInEngine.id }),
    minVersion: "TLSv1.2",
    rejectUnauthorized: skipVerify !== true,
  };
}

/** For as long as anything may come of a round: its connections are closed by then. */
const KEPT_MS = 10_000;

/** One agent for each way of trusting and going; it keeps the parsed certificates and the TLS sessions for one round. */
const agents = new Map<string, { readonly agent: TlsAgent; readonly forget: NodeJS.Timeout }>();

export const plainAgent = new PlainAgent(KEEP_ALIVE);

/**
 * The agent for a TLS connection to the peer itself, or to it through `proxy`. Forgotten when it has not been
 * used for a while: an idle device has better uses for its memory than some hundred parsed certificates.
 */
export function tlsAgent(options: TlsOptions = {}, proxy?: HttpProxy): TlsAgent {
  const { trusted, certificate, key, keyInEngine, skipVerify } = options;
  const name = JSON.stringify([trusted, certificate, key, keyInEngine, skipVerify, proxy]);
  const known = agents.get(name);
  if (known !== undefined) {
    known.forget.refresh();
    return known.agent;
  }
  const settings = { ...KEEP_ALIVE, ...contextOptions(options) };
  const agent = proxy === undefined ? new TlsAgent(settings) : new TunnelAgent(settings, proxy);
  // Requests that are under way keep what they use; only the next one begins afresh.
  const forget = setTimeout(() => agents.delete(name), KEPT_MS);
  forget.unref();
  agents.set(name, { agent, forget });
  return agent;
}
