import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { ArtifactError } from "./errors.ts";

/** Bytes of r and of s in a signature of fixed length, by curve. */
const COORDINATE_BYTES: ReadonlyMap<string, number> = new Map([
  ["prime256v1", 32],
  ["secp384r1", 48],
]);

/** Why a key cannot sign artifacts; `undefined` if it can. */
export function keyFault(key: KeyObject): string | undefined {
  switch (key.asymmetricKeyType) {
    case "rsa":
    case "ed25519":
      return undefined;
    case "ec": {
      const curve = key.asymmetricKeyDetails?.namedCurve ?? "of no name";
      return COORDINATE_BYTES.has(curve) ? undefined : `the curve ${curve} is not supported, P-256 and P-384 are`;
    }
    default:
      return `keys of the type ${key.asymmetricKeyType ?? key.type} are not supported, RSA, ECDSA and Ed25519 are`;
  }
}

/** Why no Mender client verifies the signatures of a key that can sign; `undefined` if they do. */
export function menderFault(key: KeyObject): string | undefined {
  const kind = key.asymmetricKeyType === "ed25519" ? "Ed25519" : key.asymmetricKeyDetails?.namedCurve;
  if (kind === undefined || kind === "prime256v1") return undefined;
  const name = kind === "secp384r1" ? "ECDSA P-384" : kind;
  return `no Mender client verifies ${name}, only Upkeep does; RSA and ECDSA P-256 are verified by all`;
}

/**
 * Reads the keys that verify artifacts.
 * @throws ArtifactError naming the key by its position in the list.
 */
export function loadVerifyKeys(pems: readonly string[]): KeyObject[] {
  return pems.map((pem, index) => {
    let key: KeyObject;
    try {
      key = createPublicKey(pem);
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      throw new ArtifactError("key-unusable", `verification key ${index + 1} is no public key in PEM: ${detail}`, {
        cause,
      });
    }
    const fault = keyFault(key);
    if (fault !== undefined) throw new ArtifactError("key-unusable", `verification key ${index + 1}: ${fault}`);
    return key;
  });
}

/** Decode manifest.sig: base64, in one or several lines. */
export function decodeSignature(content: Uint8Array): Buffer {
  const text = Buffer.from(content)
    .toString("latin1")
    .replace(/[\r\n]/g, "");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) {
    throw new ArtifactError("signature-malformed", "manifest.sig: it is not base64");
  }
  return Buffer.from(text, "base64");
}

function fits(key: KeyObject, signed: Uint8Array, signature: Uint8Array): boolean {
  if (key.asymmetricKeyType === "ed25519") return verify(null, signed, key, signature);
  if (key.asymmetricKeyType !== "ec") return verify("sha256", signed, key, signature);
  // mender-artifact writes r and s at their full length; a signature made with openssl is DER.
  const coordinate = COORDINATE_BYTES.get(key.asymmetricKeyDetails?.namedCurve ?? "");
  const fixed = coordinate !== undefined && signature.length === 2 * coordinate;
  return verify("sha256", signed, { key, dsaEncoding: fixed ? "ieee-p1363" : "der" }, signature);
}

/**
 * The index of the key that made `signature` over the manifest: RSA (PKCS#1 v1.5) or ECDSA over SHA-256, or Ed25519.
 * @throws ArtifactError if no key matches.
 */
export function findSigner(keys: readonly KeyObject[], manifest: Uint8Array, signature: Uint8Array): number {
  const index = keys.findIndex((key) => fits(key, manifest, signature));
  if (index >= 0) return index;
  const tried = keys.length === 1 ? "the key" : `any of the ${keys.length} keys`;
  throw new ArtifactError("signature-mismatch", `manifest.sig: the signature was not made by ${tried} to be trusted`);
}
