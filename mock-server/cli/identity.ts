import { X509Certificate } from "node:crypto";
import { createDirectoryDurably, readTextFile, replaceFile, type System } from "@upkeep/shared/system";
import { generate } from "selfsigned";
import { CERTIFICATE_FILE, KEY_FILE } from "../storage/data-layout.ts";
import { absolutePath, machineName } from "../system/environment.ts";
import type { TlsIdentity } from "../system/listen.ts";
import { CommandError } from "./failure.ts";

const PEM_BYTES_MAX = 1024 * 1024;
const SELF_SIGNED_LIFE_MS = 3650 * 86_400_000;
/** Devices with a slow clock must accept the certificate too. */
const BACKDATED_MS = 86_400_000;

/** A certificate that is kept in the data directory, so that devices may trust it for long. */
export interface SelfSigned extends TlsIdentity {
  /** Where the certificate lies: the file that devices are given to trust. */
  readonly certificatePath: string;
}

async function readPem(files: System["files"], option: string, path: string): Promise<string> {
  let text: string | undefined;
  try {
    text = await readTextFile(files, path, PEM_BYTES_MAX);
  } catch (error) {
    throw new CommandError(`--${option} ${path}: ${error instanceof Error ? error.message : error}`);
  }
  if (text === undefined) throw new CommandError(`--${option} ${path}: there is no such file`);
  return text;
}

/** The certificate and key of `--cert` and `--key`, if they are given. @throws CommandError */
export async function identityFromFiles(
  files: System["files"],
  tls: "self-signed" | { readonly certPath: string; readonly keyPath: string } | undefined,
): Promise<TlsIdentity | undefined> {
  if (tls === undefined || tls === "self-signed") return undefined;
  return {
    certificate: await readPem(files, "cert", absolutePath(tls.certPath)),
    key: await readPem(files, "key", absolutePath(tls.keyPath)),
  };
}

/**
 * The certificate of `--tls-self-signed`: generated at the first start, and again after it expires.
 * @param host What the server listens on; a name of the certificate, beside localhost and the machine's own.
 */
export async function selfSignedIdentity(
  { files, clock }: Pick<System, "files" | "clock">,
  directory: string,
  host: string,
): Promise<SelfSigned> {
  const certificatePath = `${directory}/${CERTIFICATE_FILE}`;
  const keyPath = `${directory}/${KEY_FILE}`;
  const certificate = await readTextFile(files, certificatePath, PEM_BYTES_MAX);
  const key = await readTextFile(files, keyPath, PEM_BYTES_MAX);
  if (
    certificate !== undefined &&
    key !== undefined &&
    clock.now() < Date.parse(new X509Certificate(certificate).validTo)
  ) {
    return { certificate, key, certificatePath };
  }
  const made = await generateIdentity(clock.now(), host);
  await createDirectoryDurably(files, directory, 0o700);
  await replaceFile(files, keyPath, made.key, 0o600);
  await replaceFile(files, certificatePath, made.certificate, 0o644);
  return { ...made, certificatePath };
}

async function generateIdentity(nowMs: number, host: string): Promise<TlsIdentity> {
  const names = [...new Set(["localhost", machineName(), ...(isAddress(host) ? [] : [host])])];
  const wildcard = host === "0.0.0.0" || host === "::";
  const addresses = [...new Set(["127.0.0.1", "::1", ...(isAddress(host) && !wildcard ? [host] : [])])];
  const made = await generate([{ name: "commonName", value: "Upkeep server" }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    notBeforeDate: new Date(nowMs - BACKDATED_MS),
    notAfterDate: new Date(nowMs + SELF_SIGNED_LIFE_MS),
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", digitalSignature: true, keyCertSign: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          ...names.map((value) => ({ type: 2 as const, value })),
          ...addresses.map((ip) => ({ type: 7 as const, ip })),
        ],
      },
    ],
  });
  return { certificate: made.cert, key: made.private };
}

function isAddress(host: string): boolean {
  return host.includes(":") || /^\d{1,3}(\.\d{1,3}){3}$/.test(host);
}
