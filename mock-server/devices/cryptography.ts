import { ed25519Signer, type TokenSigner } from "../tokens.ts";
import { isSignedBy, type PublicKey } from "./public-key.ts";

/** The public-key cryptography between devices and the server. A simulation, whose keys are no secret, replaces it. */
export interface DeviceCryptography {
  /** True if `signature` (base64) is one of these bytes by the device's key. */
  isSignedBy(key: PublicKey, bytes: Uint8Array, signature: string): boolean;
  /** @param seed 32 random bytes: the key of the tokens. */
  tokenSigner(seed: Uint8Array): TokenSigner;
}

/** What a server uses. */
export const REAL_CRYPTOGRAPHY: DeviceCryptography = { isSignedBy, tokenSigner: ed25519Signer };
