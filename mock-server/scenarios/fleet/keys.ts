import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import type { DeviceKey } from "upkeep";

/** What stands before the 32 bytes of an Ed25519 private key in PKCS #8, and before a public one (RFC 8410). */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");

/**
 * A device's key that `seed` decides: the same fleet comes back with the same keys. Whoever knows the seed can make
 * it as well, so it is good for virtual devices alone. Between two log ins only the public half is kept: a handle
 * of OpenSSL takes some kilobytes, and ten thousand devices log in one after the other.
 */
export function seededKey(seed: string): DeviceKey {
  let known: string | undefined;
  const secret = (): Buffer => createHash("sha256").update(`upkeep virtual device ${seed}`).digest();
  /** The public half, in base64url. */
  const half = (): string => {
    known ??= publicHalf(secret());
    return known;
  };
  /** From a JWK: OpenSSL takes ten times as long to find out what a DER structure is. */
  const privateKey = (): KeyObject => {
    const key = { kty: "OKP", crv: "Ed25519", d: secret().toString("base64url"), x: half() };
    return createPrivateKey({ key, format: "jwk" });
  };
  return {
    get publicPem() {
      const base64 = Buffer.concat([SPKI_HEAD, Buffer.from(half(), "base64url")]).toString("base64");
      return `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`;
    },
    sign: (data) => sign(null, data, privateKey()).toString("base64"),
  };
}

function publicHalf(secret: Buffer): string {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, secret]), format: "der", type: "pkcs8" });
  const { x } = createPublicKey(key).export({ format: "jwk" });
  if (x === undefined) throw new Error("an Ed25519 key has no x");
  return x;
}
