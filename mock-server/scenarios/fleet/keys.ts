import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import type { DeviceKey } from "upkeep";

/** What stands before the 32 bytes of an Ed25519 private key in PKCS #8 (RFC 8410). */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * A device's key that `seed` decides: the same fleet comes back with the same keys. Whoever knows the seed can make
 * it as well, so it is good for virtual devices alone. Between two log ins nothing of it is kept: a handle of
 * OpenSSL takes some kilobytes, and ten thousand devices log in one after the other.
 */
export function seededKey(seed: string): DeviceKey {
  const privateKey = (): KeyObject => {
    const bytes = createHash("sha256").update(`upkeep virtual device ${seed}`).digest();
    return createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, bytes]), format: "der", type: "pkcs8" });
  };
  return {
    get publicPem() {
      return createPublicKey(privateKey()).export({ type: "spki", format: "pem" }).toString();
    },
    sign: (data) => sign(null, data, privateKey()).toString("base64"),
  };
}
