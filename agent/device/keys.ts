import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign } from "node:crypto";
import { promisify } from "node:util";
import { createDirectoryDurably, type Files, isSystemError, readTextFile, replaceFile } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";

const generate = promisify(generateKeyPair);
const KEY_BYTES_MAX = 64 * 1024;
const RSA_BITS = 3072;

/** The key that proves the device's identity. */
export interface DeviceKey {
  /** PEM, `PUBLIC KEY`. */
  readonly publicPem: string;
  /** Base64 of the signature over exactly these bytes, as the server wants it for this kind of key. */
  sign(data: Uint8Array, signal?: AbortSignal): string | Promise<string>;
}

export interface KeyLocation {
  readonly path: string;
  /** The kind to make when there is none; absent if the key is never made here. */
  readonly generate?: "ed25519" | "rsa3072";
  /** Of a key that is encrypted. */
  readonly passphrase?: string;
}

/** Ed25519 signs the bytes themselves; RSA (PKCS#1 v1.5) and ECDSA (DER) sign their SHA-256. */
function digestFor(key: KeyObject, path: string): string | null {
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return null;
    case "rsa":
    case "ec":
      return "sha256";
    default:
      throw new AgentError(
        "key-unusable",
        `${path} holds a key of the kind ${key.asymmetricKeyType}, which cannot sign`,
      );
  }
}

function deviceKey(pem: string, { path, passphrase }: KeyLocation): DeviceKey {
  let key: KeyObject;
  const encrypted = pem.includes("ENCRYPTED");
  try {
    key = createPrivateKey({ key: pem, ...(encrypted && passphrase !== undefined ? { passphrase } : {}) });
  } catch (error) {
    const closed =
      passphrase === undefined
        ? "is encrypted, and no passphrase was given (--passphrase-file)"
        : "is encrypted, and not with the passphrase that was given";
    const what = encrypted ? closed : "holds no PEM private key";
    // Never replaced by a new one: the server would take the device for another one.
    throw new AgentError("key-unusable", `${path} ${what}; it is left as it is`, { cause: error });
  }
  const digest = digestFor(key, path);
  return {
    publicPem: createPublicKey(key).export({ type: "spki", format: "pem" }).toString(),
    sign: (data) => sign(digest, data, key).toString("base64"),
  };
}

async function generatePem(kind: "ed25519" | "rsa3072"): Promise<string> {
  const { privateKey } =
    kind === "ed25519" ? await generate("ed25519") : await generate("rsa", { modulusLength: RSA_BITS });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** Only the owner can read a key that was made here, also after a copy or a restore of the directory. */
async function makePrivate(files: Files, path: string, onExposed: (message: string) => void): Promise<void> {
  const { mode = 0 } = (await files.status(path)) ?? {};
  if ((mode & 0o077) === 0) return;
  const exposed = `others could read the device's key ${path} (mode ${(mode & 0o777).toString(8)})`;
  try {
    await files.setPermissions(path, mode & ~0o077);
    onExposed(`${exposed}; now only its owner can`);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    onExposed(`${exposed}, and still can: ${error.message}`);
  }
}

/**
 * The device's key; made, durably and readable for its owner alone, if there is none yet.
 * @param onGenerated Called when a new key was made: to the server this is a new device.
 * @param onExposed Called with a warning if others than its owner could read the key.
 * @throws AgentError `key-unreadable` or `key-unusable`.
 */
export async function loadDeviceKey(
  files: Files,
  location: KeyLocation,
  onGenerated: () => void,
  onExposed: (message: string) => void = () => undefined,
): Promise<DeviceKey> {
  const { path } = location;
  try {
    const pem = await readTextFile(files, path, KEY_BYTES_MAX);
    if (pem !== undefined && location.generate !== undefined) await makePrivate(files, path, onExposed);
    if (pem !== undefined) return deviceKey(pem, location);
    if (location.generate === undefined) throw new AgentError("key-unreadable", `the key ${path} does not exist`);
    const made = await makeDeviceKey(files, path, location.generate);
    onGenerated();
    return deviceKey(made, location);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new AgentError("key-unreadable", `cannot read or make the key ${path}: ${error.message}`, {
      retryable: true,
      cause: error,
    });
  }
}

/**
 * Makes a new key, durably, which replaces an existing one: to the server the device is a new one then.
 * @returns The private key in PEM.
 */
export async function makeDeviceKey(files: Files, path: string, kind: "ed25519" | "rsa3072"): Promise<string> {
  const made = await generatePem(kind);
  await createDirectoryDurably(files, path.slice(0, path.lastIndexOf("/")), 0o700);
  await replaceFile(files, path, made, 0o600);
  return made;
}
