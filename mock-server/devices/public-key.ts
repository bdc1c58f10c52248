import { constants, createPublicKey, type KeyObject, verify } from "node:crypto";
import { invalid } from "../errors.ts";

const PEM = /^-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END PUBLIC KEY-----\s*$/;
const RSA_BITS_MIN = 1024;
/** A larger modulus only serves to keep the server busy. */
const RSA_BITS_MAX = 8192;
const CURVES: readonly (string | undefined)[] = ["prime256v1", "secp384r1", "secp521r1"];

/** A device's public key. */
export interface PublicKey {
  /** As our own serialiser writes it: equal keys are equal texts. */
  readonly pem: string;
  readonly key: KeyObject;
}

/**
 * Read a PEM public key (SubjectPublicKeyInfo): RSA, ECDSA on a NIST curve, Ed25519.
 * @throws ServerError (invalid) for anything else.
 */
export function parsePublicKey(pem: string): PublicKey {
  const base64 = PEM.exec(pem.trimStart())?.[1];
  if (base64 === undefined) throw invalid("cannot decode public key: pubkey must be a PEM block PUBLIC KEY");
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(base64, "base64"), format: "der", type: "spki" });
  } catch (error) {
    throw invalid("cannot decode public key", { cause: error });
  }
  const fault = faultOf(key);
  if (fault !== undefined) throw invalid(`cannot decode public key: ${fault}`);
  return { pem: key.export({ format: "pem", type: "spki" }).toString(), key };
}

function faultOf(key: KeyObject): string | undefined {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return undefined;
    case "rsa":
      return modulusLength >= RSA_BITS_MIN && modulusLength <= RSA_BITS_MAX
        ? undefined
        : `an RSA key has ${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits, this one has ${modulusLength}`;
    case "ec":
      return CURVES.includes(namedCurve) ? undefined : `unsupported curve ${namedCurve ?? "without a name"}`;
    default:
      return `unsupported key type ${key.asymmetricKeyType}`;
  }
}

/** True if `signature` (base64) is the key's over exactly these bytes. */
export function isSignedBy({ key }: PublicKey, bytes: Uint8Array, signature: string): boolean {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(signature)) return false;
  const raw = Buffer.from(signature, "base64");
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return verify(null, bytes, key, raw);
    case "rsa":
      return verify("sha256", bytes, { key, padding: constants.RSA_PKCS1_PADDING }, raw);
    default:
      return verify("sha256", bytes, { key, dsaEncoding: "der" }, raw);
  }
}
