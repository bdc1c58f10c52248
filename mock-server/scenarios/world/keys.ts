import { createHash, createPrivateKey, createPublicKey } from "node:crypto";

/** What stands before the 32 bytes of an Ed25519 private key in PKCS#8. */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** Ed25519 keys that a seed decides. Not for secrets. */
export function seededKeyPair(seed: string): { readonly privatePem: string; readonly publicPem: string } {
  const secret = createHash("sha256").update(seed).digest();
  const key = createPrivateKey({ key: Buffer.concat([ED25519_PKCS8, secret]), format: "der", type: "pkcs8" });
  return {
    privatePem: key.export({ type: "pkcs8", format: "pem" }).toString(),
    publicPem: createPublicKey(key).export({ type: "spki", format: "pem" }).toString(),
  };
}
