import type { KeyObject } from "node:crypto";
import { menderFault } from "@upkeep/shared/artifact";
import { isEncryptedKey, loadSigningKey, type SigningKey } from "@upkeep/shared/artifact/write";
import { given } from "@upkeep/shared/given";
import { passwordFromFile } from "../passwords.ts";
import { smallFile } from "./files.ts";
import { one, several, yes } from "./flags.ts";
import { hasPin, type TokenKey, tokenPublicKey, tokenSigner } from "./pkcs11.ts";
import { ArtifactCommandError, type ArtifactContext } from "./run.ts";

const TOKEN_FLAGS = {
  "key-pkcs11": { ...one, describe: "URI of a key in a token (pkcs11:…), instead of --key; openssl reaches it" },
  "key-passphrase-file": {
    ...one,
    describe: "File whose first line is the passphrase of the key, or the PIN of the token; - for standard input",
  },
} as const;

/** The flags of commands that sign. */
export const SIGNING_FLAGS = {
  key: { ...one, alias: "k", describe: "Private key (PEM) to sign with: RSA or ECDSA P-256" },
  ...TOKEN_FLAGS,
  "upkeep-only": {
    ...yes,
    describe: "Also sign with ECDSA P-384 or Ed25519, which no Mender client verifies, only Upkeep",
  },
} as const;

/** The flags of commands that verify. */
export const VERIFYING_FLAGS = {
  key: { ...several, alias: "k", describe: "Public key (PEM) that must fit the signature; repeatable" },
  ...TOKEN_FLAGS,
} as const;

interface TokenFlags {
  readonly keyPkcs11: string | undefined;
  readonly keyPassphraseFile: string | undefined;
}

export interface SigningFlags extends TokenFlags {
  readonly key: string | undefined;
  readonly upkeepOnly: boolean;
}

export interface VerifyingFlags extends TokenFlags {
  readonly key: readonly string[] | undefined;
}

/** The passphrase of a key or the PIN of a token: of a file, of the environment, or of a person at the terminal. */
async function passphrase(context: ArtifactContext, flags: TokenFlags, question: string): Promise<string | undefined> {
  const { keyPassphraseFile: file } = flags;
  if (file !== undefined) return await passwordFromFile(context.system.files, "key-passphrase-file", file);
  return context.keyPassphrase ?? (await context.askPassphrase?.(question));
}

async function tokenKey(context: ArtifactContext, uri: string, flags: TokenFlags): Promise<TokenKey> {
  return { uri, pin: hasPin(uri) ? undefined : await passphrase(context, flags, "PIN of the token: ") };
}

/** The key to sign with, if the flags name one. @throws ArtifactError, ArtifactCommandError, CommandError */
export async function signingKeyOf(context: ArtifactContext, flags: SigningFlags): Promise<SigningKey | undefined> {
  const { key, keyPkcs11, upkeepOnly } = flags;
  if (key !== undefined && keyPkcs11 !== undefined) {
    throw new ArtifactCommandError("usage", "--key and --key-pkcs11: there can be one key to sign with");
  }
  if (keyPkcs11 !== undefined) {
    const { publicKey, signer } = await tokenSigner(context, await tokenKey(context, keyPkcs11, flags));
    if (!upkeepOnly) checkForMender("--key-pkcs11", publicKey);
    return signer;
  }
  if (key === undefined) return undefined;
  const pem = await smallFile(context, key);
  const secret = isEncryptedKey(pem) ? await passphrase(context, flags, `Passphrase of ${key}: `) : undefined;
  if (isEncryptedKey(pem) && secret === undefined) {
    const ways = "--key-passphrase-file FILE or the variable UPKEEP_KEY_PASSPHRASE give it";
    throw new ArtifactCommandError("key-unusable", `${key} is encrypted: its passphrase is needed; ${ways}`);
  }
  const loaded = loadSigningKey(pem, { upkeepOnly: true, ...given({ passphrase: secret }) });
  if (!upkeepOnly) checkForMender(key, loaded);
  return loaded;
}

/** @throws ArtifactCommandError for a key whose signatures only Upkeep verifies. */
function checkForMender(name: string, key: KeyObject): void {
  const fault = menderFault(key);
  if (fault === undefined) return;
  throw new ArtifactCommandError("key-unusable", `${name}: ${fault}; --upkeep-only signs with it all the same`);
}

/** Public keys in PEM, if the flags name any. @throws ArtifactCommandError, CommandError */
export async function verifyKeysOf(context: ArtifactContext, flags: VerifyingFlags): Promise<string[] | undefined> {
  const pems = await Promise.all((flags.key ?? []).map((path) => smallFile(context, path)));
  if (flags.keyPkcs11 !== undefined) {
    const key = await tokenPublicKey(await tokenKey(context, flags.keyPkcs11, flags));
    pems.push(key.export({ type: "spki", format: "pem" }).toString());
  }
  return pems.length === 0 ? undefined : pems;
}
