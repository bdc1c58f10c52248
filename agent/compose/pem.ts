import { createPublicKey } from "node:crypto";
import { given } from "@upkeep/shared/given";
import type { TlsOptions } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { certificatesIn } from "./certificates.ts";
import { clientTls, type TlsContext } from "./client-certificate.ts";
import type { AgentContext } from "./context.ts";
import { readNamedFile } from "./named-file.ts";

/** The keys that artifacts must be signed with. @throws AgentError `config-unreadable`. */
export async function readVerifyKeys(context: Pick<AgentContext, "system" | "config">): Promise<string[]> {
  const keys: string[] = [];
  for (const path of context.config.artifactVerifyKeys) {
    const pem = (await readNamedFile(context, "ArtifactVerifyKey", path)).toString("utf8");
    try {
      createPublicKey(pem);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const message = `ArtifactVerifyKey: ${path} holds no public key in PEM format: ${why}`;
      throw new AgentError("config-unreadable", message, { cause: error });
    }
    keys.push(pem);
  }
  return keys;
}

/**
 * Which servers the device trusts, and the certificate that it shows to them.
 * @throws AgentError `config-unreadable` or `client-certificate-unusable`, naming the key of the configuration.
 */
export async function tlsOptions(context: TlsContext): Promise<TlsOptions> {
  const { serverCertificate, skipVerify, clientCertificate } = context.config;
  const trusted = serverCertificate === undefined ? undefined : await trustedCertificates(context, serverCertificate);
  return {
    ...(skipVerify ? { skipVerify } : {}),
    ...given({ trusted }),
    ...(clientCertificate === undefined ? {} : await clientTls(context, clientCertificate)),
  };
}

/**
 * Certificates to trust, as PEM.
 * @param warn Told of each certificate that cannot be used.
 * @throws AgentError `config-unreadable` if there is no good one.
 */
export async function readTrusted(
  context: Pick<AgentContext, "system">,
  key: string,
  path: string,
  warn: (message: string) => void,
): Promise<string> {
  const { certificates, format, faults } = certificatesIn(await readNamedFile(context, key, path));
  const [first = "it holds no certificate in PEM format"] = faults;
  if (certificates.length === 0) throw new AgentError("config-unreadable", `${key}: ${path} is not used: ${first}`);
  for (const fault of faults) warn(`${key}: ${path}: ${fault}; the other certificates of the file are trusted`);
  if (format === "der") warn(`${key}: ${path} is in DER format, which Mender clients do not read; it is trusted`);
  return certificates.map(String).join("");
}

/** A file that cannot be used does not keep the device from servers that the system trusts anyway. */
async function trustedCertificates(context: TlsContext, path: string): Promise<string | undefined> {
  try {
    return await readTrusted(context, "ServerCertificate", path, (message) => context.log.warning(message));
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    context.log.warning(`${error.message}; only the system's certificates are trusted`);
    return undefined;
  }
}
