import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { ArtifactError } from "../errors.ts";
import { keyFault } from "../signature.ts";

/**
 * Read a private key that signs artifacts: RSA, ECDSA P-256 or P-384, or Ed25519, in PEM (PKCS#8, PKCS#1 or SEC 1).
 * @throws ArtifactError
 */
export function loadSigningKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new ArtifactError("key-unusable", `the signing key is no private key in PEM: ${detail}`, { cause });
  }
  const fault = keyFault(key);
  if (fault !== undefined) throw new ArtifactError("key-unusable", `the signing key: ${fault}`);
  return key;
}

/**
 * manifest.sig: RSA (PKCS#1 v1.5) or ECDSA (r and s at their full length) over SHA-256, or Ed25519, in base64.
 * RSA and Ed25519 give the same signature each time; ECDSA does not.
 */
export function signManifest(key: KeyObject, manifest: Uint8Array): Uint8Array {
  const signature =
    key.asymmetricKeyType === "ed25519"
      ? sign(null, manifest, key)
      : sign("sha256", manifest, { key, dsaEncoding: "ieee-p1363" });
  return new TextEncoder().encode(signature.toString("base64"));
}
