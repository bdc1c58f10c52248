import { hash } from "node:crypto";
import type { DeviceKey } from "upkeep/index.ts";
import type { DeviceCryptography } from "../../../domain.ts";

/** The bytes before the 32 of an Ed25519 public key in its SubjectPublicKeyInfo (RFC 8410). */
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");

/**
 * A key that signs nothing: its signature is a hash that anybody can compute. Real signatures took about a tenth of the
 * processor time of a simulation, whose keys are no secret anyhow.
 */
export class HashKey implements DeviceKey {
  readonly #seed: string;

  constructor(seed: string) {
    this.#seed = seed;
  }

  get publicPem(): string {
    const base64 = Buffer.concat([SPKI_HEAD, hash("sha256", this.#seed, "buffer")]).toString("base64");
    return `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`;
  }

  get privatePem(): string {
    throw new Error("a simulated device has no private key");
  }

  sign(data: Uint8Array): string {
    return signatureOf(this.publicPem, data);
  }
}

function signatureOf(publicPem: string, data: Uint8Array): string {
  return hash("sha256", Buffer.concat([Buffer.from(publicPem), data]), "base64");
}

/** Hashes in place of signatures, for devices with a {@link HashKey}. */
export const HASHES: DeviceCryptography = {
  isSignedBy: ({ pem }, bytes, signature) => signatureOf(pem, bytes) === signature,
  tokenSigner: (seed) => {
    const sign = (bytes: Uint8Array) => hash("sha256", Buffer.concat([seed, bytes]), "buffer");
    return { sign, verify: (bytes, signature) => sign(bytes).equals(signature) };
  },
};
