import { createPrivateKey, createPublicKey, hash, type KeyObject, sign } from "node:crypto";
import type { DeviceKey } from "upkeep";

/** What stands before the 32 bytes of an Ed25519 public key in its SubjectPublicKeyInfo (RFC 8410). */
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");

/**
 * A device's key that `seed` decides: the same fleet comes back with the same keys. Anyone who knows the seed can make
 * it as well, so it is good for virtual devices alone. Between two log ins only the public half is kept: a handle
 * of OpenSSL takes some kilobytes, and ten thousand devices log in one after the other.
 */
export class SeededKey implements DeviceKey {
  readonly #seed: string;
  #known: string | undefined;

  constructor(seed: string) {
    this.#seed = seed;
  }

  get publicPem(): string {
    this.#known ??= publicHalf(this.#privateKey());
    const base64 = Buffer.concat([SPKI_HEAD, Buffer.from(this.#known, "base64url")]).toString("base64");
    return `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`;
  }

  sign(data: Uint8Array): string {
    return sign(null, data, this.#privateKey()).toString("base64");
  }

  #privateKey(): KeyObject {
    const secret = hash("sha256", `upkeep virtual device ${this.#seed}`, "buffer");
    // From a JWK: OpenSSL takes ten times as long to find out what a DER structure is. It makes `x` anew, but wants one.
    const key = { kty: "OKP", crv: "Ed25519", d: secret.toString("base64url"), x: "" };
    return createPrivateKey({ key, format: "jwk" });
  }
}

/** In base64url. */
function publicHalf(key: KeyObject): string {
  const { x } = createPublicKey(key).export({ format: "jwk" });
  if (x === undefined) throw new Error("an Ed25519 key has no x");
  return x;
}
