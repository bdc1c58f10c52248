import { createPrivateKey, KeyObject, sign } from "node:crypto";
import { ArtifactError } from "../errors.ts";
import { keyFault, menderFault } from "../signature.ts";

/** A key that never enters this program: in a token, or with a service. */
export interface ArtifactSigner {
  /** @returns The signature over SHA-256 of `manifest`: RSA (PKCS#1 v1.5), or of ECDSA r and s at their full length. */
  sign(manifest: Uint8Array): Promise<Uint8Array>;
}

/** What signs artifacts: a private key of {@link loadSigningKey}, or a signer elsewhere. */
export type SigningKey = KeyObject | ArtifactSigner;

export interface KeyOptions {
  /** Of an encrypted key. */
  readonly passphrase?: string;
  /** Accept keys whose signatures only Upkeep verifies: Ed25519, and ECDSA P-384. No Mender client does. */
  readonly upkeepOnly?: boolean;
}

/**
 * Read a private key that signs artifacts: RSA, ECDSA P-256, or with `upkeepOnly` P-384 and Ed25519, in PEM (PKCS#8,
 * PKCS#1 or SEC 1).
 * @throws ArtifactError
 */
export function loadSigningKey(pem: string, { passphrase, upkeepOnly = false }: KeyOptions = {}): KeyObject {
  const key = privateKey(pem, passphrase);
  const fault = keyFault(key) ?? (upkeepOnly ? undefined : menderFault(key));
  if (fault !== undefined) throw new ArtifactError("key-unusable", `the signing key: ${fault}`);
  return key;
}

function privateKey(pem: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase });
  } catch (cause) {
    throw new ArtifactError("key-unusable", privateKeyFault(cause, pem, passphrase), { cause });
  }
}

function privateKeyFault(cause: unknown, pem: string, passphrase: string | undefined): string {
  if (isEncryptedKey(pem)) {
    return passphrase === undefined
      ? "the signing key is encrypted: its passphrase is needed"
      : "the signing key is encrypted, and this is not its passphrase";
  }
  return `the signing key is no private key in PEM: ${cause instanceof Error ? cause.message : String(cause)}`;
}

/** True for a private key in PEM that needs a passphrase. */
export function isEncryptedKey(pem: string): boolean {
  return /^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);
}

/**
 * manifest.sig: RSA (PKCS#1 v1.5) or ECDSA (r and s at their full length) over SHA-256, or Ed25519, in base64.
 * RSA and Ed25519 give the same signature each time; ECDSA does not.
 */
export async function signManifest(key: SigningKey, manifest: Uint8Array): Promise<Uint8Array> {
  const signature = key instanceof KeyObject ? signedWith(key, manifest) : await key.sign(manifest);
  return new TextEncoder().encode(Buffer.from(signature).toString("base64"));
}

function signedWith(key: KeyObject, manifest: Uint8Array): Uint8Array {
  if (key.asymmetricKeyType === "ed25519") return sign(null, manifest, key);
  return sign("sha256", manifest, { key, dsaEncoding: "ieee-p1363" });
}
