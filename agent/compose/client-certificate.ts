import { createPrivateKey, type KeyObject } from "node:crypto";
import type { TlsOptions } from "@upkeep/shared/system";
import type { ClientCertificate } from "../config/settings.ts";
import { AgentError } from "../errors.ts";
import { certificatesIn } from "./certificates.ts";
import type { AgentContext } from "./context.ts";
import { readNamedFile } from "./named-file.ts";
import { readPassphraseFile } from "./passphrase.ts";

const CERTIFICATE = "HttpsClient.Certificate (the device's own certificate)";
const KEY = "HttpsClient.Key (the key of the device's own certificate)";
const PASSPHRASE = "HttpsClient.PassphraseFile";

/** What the settings of TLS are made from. */
export type TlsContext = Pick<AgentContext, "system" | "config" | "log">;

function unusable(message: string, cause?: unknown): AgentError {
  return new AgentError("client-certificate-unusable", message, { cause });
}

/**
 * The certificate that the device shows to servers, and its key, which fits.
 * @throws AgentError `config-unreadable`, `passphrase-unreadable` or `client-certificate-unusable`: no server would be the
 *   cause of what a wrong certificate does.
 */
export async function clientTls(
  context: TlsContext,
  { certificate: certificatePath, key: place, passphraseFile }: ClientCertificate,
): Promise<Pick<TlsOptions, "certificate" | "key" | "keyInEngine">> {
  const file = await readNamedFile(context, CERTIFICATE, certificatePath);
  const { certificates, faults } = certificatesIn(file);
  const [own] = certificates;
  if (own === undefined || faults[0] !== undefined) {
    const fault = faults[0] ?? "it holds no certificate in PEM format";
    throw unusable(`${CERTIFICATE}: ${certificatePath} cannot be used: ${fault}`);
  }
  warnOfTime(context, certificatePath, Date.parse(own.validFrom), Date.parse(own.validTo));
  const certificate = certificates.map(String).join("");
  if ("uri" in place) return { certificate, keyInEngine: { engine: place.engine, id: place.uri } };
  const pem = (await readNamedFile(context, KEY, place.path)).toString("utf8");
  const passphrase =
    passphraseFile === undefined ? undefined : await readPassphraseFile(context.system, PASSPHRASE, passphraseFile);
  const key = privateKey(pem, place.path, passphrase);
  if (!own.checkPrivateKey(key)) {
    throw unusable(`${KEY}: ${place.path} is not the key of the certificate ${certificatePath}`);
  }
  // Decrypted, in memory only.
  return { certificate, key: key.export({ type: "pkcs8", format: "pem" }).toString() };
}

function privateKey(pem: string, path: string, passphrase: string | undefined): KeyObject {
  const isEncrypted = pem.includes("ENCRYPTED");
  if (isEncrypted && passphrase === undefined) {
    throw unusable(`${KEY}: ${path} is encrypted, and ${PASSPHRASE} is not configured`);
  }
  try {
    return createPrivateKey({ key: pem, ...(isEncrypted && passphrase !== undefined ? { passphrase } : {}) });
  } catch (error) {
    const why = isEncrypted
      ? `is not encrypted with the passphrase in ${PASSPHRASE}`
      : "holds no private key in PEM format";
    throw unusable(`${KEY}: ${path} ${why}`, error);
  }
}

/** Not an error: the device's clock may be wrong until the network has set it. */
function warnOfTime({ system, log }: TlsContext, path: string, fromMs: number, toMs: number): void {
  const nowMs = system.clock.now();
  if (nowMs >= fromMs && nowMs <= toMs) return;
  const when =
    nowMs < fromMs
      ? `is valid from ${new Date(fromMs).toISOString()} on only`
      : `expired at ${new Date(toMs).toISOString()}`;
  log.warning(`${CERTIFICATE}: ${path} ${when}: servers that ask for it may refuse the device`);
}
