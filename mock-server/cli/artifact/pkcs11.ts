import { createPublicKey, type KeyObject } from "node:crypto";
import { keyFault } from "@upkeep/shared/artifact";
import type { ArtifactSigner } from "@upkeep/shared/artifact/write";
import { runProgram, withTemporaryDirectory } from "./programs.ts";
import { ArtifactCommandError, type ArtifactContext } from "./run.ts";

/** Variable that openssl reads the PIN from. */
const PIN_VARIABLE = "UPKEEP_PKCS11_PIN";

export interface TokenKey {
  /** `pkcs11:…` */
  readonly uri: string;
  /** If it does not stand in the URI. */
  readonly pin: string | undefined;
}

/** True if the URI says where the PIN is. */
export function hasPin(uri: string): boolean {
  return /[?&]pin-(value|source)=/i.test(uri);
}

/** What openssl says, without the PIN of the URI that it repeats. */
function discreet(text: string): string {
  return text.replace(/(pin-value=)[^&;\s]*/gi, "$1…");
}

async function openssl(what: string, key: TokenKey, args: readonly string[]): Promise<Buffer> {
  const pin = key.pin === undefined ? [] : ["-passin", `env:${PIN_VARIABLE}`];
  const { succeeded, out, error } = await runProgram("openssl", {
    command: "openssl",
    args: [...args, ...pin],
    environment: key.pin === undefined ? {} : { [PIN_VARIABLE]: key.pin },
  });
  if (succeeded) return out;
  const lines = discreet(error).split("\n");
  const said = lines.filter((line) => line !== "" && !/^Engine ".*" set\.$/.test(line)).slice(0, 3);
  throw new ArtifactCommandError("key-unusable", `--key-pkcs11: ${what} failed: openssl: ${said.join(": ")}`);
}

/** The public key of a key in a token. @throws ArtifactCommandError */
export async function tokenPublicKey(key: TokenKey): Promise<KeyObject> {
  if (!key.uri.startsWith("pkcs11:")) {
    throw new ArtifactCommandError("usage", `--key-pkcs11: "${discreet(key.uri)}" is no URI that begins with pkcs11:`);
  }
  const args = ["pkey", "-engine", "pkcs11", "-inform", "engine", "-in", key.uri, "-pubout"];
  return createPublicKey((await openssl("reading the public key", key, args)).toString());
}

/**
 * Signs with a key that never leaves its token: `openssl` reaches it through its engine `pkcs11`.
 * @throws ArtifactCommandError
 */
export async function tokenSigner(
  context: ArtifactContext,
  key: TokenKey,
): Promise<{ readonly publicKey: KeyObject; readonly signer: ArtifactSigner }> {
  const publicKey = await tokenPublicKey(key);
  const fault = keyFault(publicKey);
  if (fault !== undefined) throw new ArtifactCommandError("key-unusable", `--key-pkcs11: ${fault}`);
  const kind = publicKey.asymmetricKeyType;
  const digest = kind === "ed25519" ? [] : ["-digest", "sha256"];
  const signer: ArtifactSigner = {
    sign: (manifest) =>
      withTemporaryDirectory(context, undefined, async (directory) => {
        const input = `${directory}/manifest`;
        const handle = await context.system.files.open(input, "exclusive", 0o600);
        try {
          await handle.write(manifest);
        } finally {
          await handle.close();
        }
        const inToken = ["-engine", "pkcs11", "-keyform", "engine", "-inkey", key.uri];
        const args = ["pkeyutl", "-sign", ...inToken, "-rawin", ...digest, "-in", input];
        const signature = await openssl("signing", key, args);
        if (kind !== "ec") return signature;
        return fixedLength(signature, publicKey.asymmetricKeyDetails?.namedCurve === "secp384r1" ? 48 : 32);
      }),
  };
  return { publicKey, signer };
}

/** r and s of an ECDSA signature in DER, each with `bytes` bytes: DER leaves out leading zeros, and adds one for the sign. */
export function fixedLength(der: Buffer, bytes: number): Buffer {
  const fixed = Buffer.alloc(2 * bytes);
  // SEQUENCE, its length (one byte: it is below 128), then twice INTEGER, length, digits.
  let at = 2;
  for (const end of [bytes, 2 * bytes]) {
    const length = der[at + 1] ?? 0;
    const digits = der.subarray(at + 2, at + 2 + length);
    const significant = digits.subarray(Math.max(0, length - bytes));
    significant.copy(fixed, end - significant.length);
    at += 2 + length;
  }
  return fixed;
}
