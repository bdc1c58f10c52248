import { createPrivateKey, createPublicKey, hash, type KeyObject, sign } from "node:crypto";
import type { DeviceKey } from "upkeep";

/** What stands before the 32 bytes of an Ed25519 public key in its SubjectPublicKeyInfo (RFC 8410). */
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");

/**
 * A device's key that `seed` decides: the same fleet comes back with the same keys. Whoever knows the seed can make
 * it as well, so it is good for virtual devices alone. Between two log ins only the public half is kept: a handle
 * of OpenSSL takes some kilobytes, and ten thousand devices log in one after the other.
 */
export function seededKey(seed: string): DeviceKey {
  let known: string | undefined;
  const privateKey = (): KeyObject => {
    const secret = hash("sha256", `upkeep virtual device ${seed}`, "buffer");
    // From a JWK: OpenSSL takes ten times as long to find out what a DER structure is. `x` must be there, and is made anew.
    const key = { kty: "OKP", crv: "Ed25519", d: secret.toString("base64url"), x: "" };
    return createPrivateKey({ key, format: "jwk" });
  };
  return {
    get publicPem() {
      known ??= publicHalf(privateKey());
      const base64 = Buffer.concat([SPKI_HEAD, Buffer.from(known, "base64url")]).toString("base64");
      return `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`;
    },
    sign: (data) => sign(null, data, privateKey()).toString("base64"),
  };
}

/** In base64url. */
function publicHalf(key: KeyObject): string {
  const { x } = createPublicKey(key).export({ format: "jwk" });
  if (x === undefined) throw new Error("an Ed25519 key has no x");
  return x;
}
