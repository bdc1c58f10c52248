import { given } from "@upkeep/shared/given";
import { isSystemError, readTextFile, type TlsOptions } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { AgentContext } from "./context.ts";

const PEM_BYTES_MAX = 1024 * 1024;

/** @throws AgentError `config-unreadable`, naming the configuration's key that names the file. */
export async function readPem({ system }: Pick<AgentContext, "system">, key: string, path: string): Promise<string> {
  const refuse = (why: string, cause?: unknown): AgentError =>
    new AgentError("config-unreadable", `${key}: ${path} ${why}`, { cause });
  let text: string | undefined;
  try {
    text = await readTextFile(system.files, path, PEM_BYTES_MAX);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw refuse(`cannot be read: ${error.message}`, error);
  }
  if (text === undefined) throw refuse("does not exist");
  if (!text.includes("-----BEGIN ")) throw refuse("holds nothing in PEM format");
  return text;
}

/** The keys that artifacts must be signed with. @throws AgentError `config-unreadable`. */
export async function readVerifyKeys(context: AgentContext): Promise<string[]> {
  const keys: string[] = [];
  for (const path of context.config.artifactVerifyKeys) keys.push(await readPem(context, "ArtifactVerifyKey", path));
  return keys;
}

/** Which servers the device trusts, and the certificate that it shows to them. */
export async function tlsOptions(context: AgentContext): Promise<TlsOptions> {
  const { serverCertificate, skipVerify, clientCertificate } = context.config;
  const trusted = serverCertificate === undefined ? undefined : await trustedCertificates(context, serverCertificate);
  return {
    ...(skipVerify ? { skipVerify } : {}),
    ...given({ trusted }),
    ...(clientCertificate === undefined
      ? {}
      : {
          certificate: await readPem(context, "HttpsClient.Certificate", clientCertificate.certificate),
          ...("path" in clientCertificate.key
            ? { key: await readPem(context, "HttpsClient.Key", clientCertificate.key.path) }
            : { keyInEngine: { engine: clientCertificate.key.engine, id: clientCertificate.key.uri } }),
        }),
  };
}

/** A missing file does not keep the device from servers that the system trusts anyway. */
async function trustedCertificates(context: AgentContext, path: string): Promise<string | undefined> {
  try {
    return await readPem(context, "ServerCertificate", path);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    context.log.warning(`${error.message}; only the system's certificates are trusted`);
    return undefined;
  }
}
