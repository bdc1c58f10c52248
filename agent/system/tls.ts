import { existsSync, readFileSync } from "node:fs";
import { Agent as PlainAgent } from "node:http";
import { Agent as TlsAgent } from "node:https";
import { rootCertificates } from "node:tls";
import type { TlsOptions } from "@upkeep/shared/system";

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

export const plainAgent = new PlainAgent(KEEP_ALIVE);

const tlsAgents = new Map<string, TlsAgent>();

/** One agent for each way of trusting: it keeps the parsed certificates and the TLS sessions. */
export function tlsAgent(options: TlsOptions = {}): TlsAgent {
  const { trusted, certificate, key, skipVerify } = options;
  const name = JSON.stringify([trusted, certificate, key, skipVerify]);
  let agent = tlsAgents.get(name);
  if (agent === undefined) {
    agent = new TlsAgent({
      ...KEEP_ALIVE,
      ca: [...systemCertificates(), ...(trusted === undefined ? [] : [trusted])],
      ...(certificate === undefined ? {} : { cert: certificate }),
      ...(key === undefined ? {} : { key }),
      rejectUnauthorized: skipVerify !== true,
    });
    tlsAgents.set(name, agent);
  }
  return agent;
}
