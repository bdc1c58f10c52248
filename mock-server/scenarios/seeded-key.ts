import { createPrivateKey, createPublicKey, hash, type KeyObject, sign } from "node:crypto";
import type { DeviceKey } from "upkeep/index.ts";

/** The bytes before the 32 of an Ed25519 public key in its SubjectPublicKeyInfo (RFC 8410). */
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");

/**
 * An Ed25519 key derived from a text: the same seed gives the same key. Everyone who knows the seed has the key, so it
 * is for virtual devices and scenarios only. Between two uses it keeps the public half alone: an OpenSSL handle takes
 * some kilobytes, and ten thousand devices log in one after the other.
 */
export class SeededKey implements DeviceKey {
  readonly #seed: string;
  /** In base64url. */
  #publicHalf: string | undefined;

  constructor(seed: string) {
    this.#seed = seed;
  }

  get publicPem(): string {
    this.#publicHalf ??= publicHalfOf(this.#privateKey());
    const base64 = Buffer.concat([SPKI_HEAD, Buffer.from(this.#publicHalf, "base64url")]).toString("base64");
    return `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`;
  }

  get privatePem(): string {
    return this.#privateKey().export({ type: "pkcs8", format: "pem" }).toString();
  }

  sign(data: Uint8Array): string {
    return sign(null, data, this.#privateKey()).toString("base64");
  }

  #privateKey(): KeyObject {
    const secret = hash("sha256", this.#seed, "buffer");
    // OpenSSL imports a JWK ten times faster than DER. It computes `x` itself, but requires the member.
    const key = { kty: "OKP", crv: "Ed25519", d: secret.toString("base64url"), x: "" };
    return createPrivateKey({ key, format: "jwk" });
  }
}

function publicHalfOf(key: KeyObject): string {
  const { x } = createPublicKey(key).export({ format: "jwk" });
  if (x === undefined) throw new Error("an Ed25519 key has no x");
  return x;
}
