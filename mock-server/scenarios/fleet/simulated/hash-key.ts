import { hash } from "node:crypto";
import type { DeviceKey } from "upkeep/index.ts";
import type { DomainOptions } from "../../../domain.ts";

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

/** The check of a {@link HashKey}'s signatures. */
export const hasHash: NonNullable<DomainOptions["isSignedBy"]> = ({ pem }, bytes, signature) =>
  signatureOf(pem, bytes) === signature;
