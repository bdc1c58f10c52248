import { createPublicKey } from "node:crypto";
import { given } from "@upkeep/shared/given";
import { isSystemError, readFile, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { describeEnd, startProgram } from "../programs/program.ts";
import type { DeviceKey } from "./keys.ts";

/** A token on a slow bus takes seconds for one signature. */
const OPENSSL_MS_MAX = 60_000;
const KILL_GRACE_MS = 2000;
const PEM_BYTES_MAX = 64 * 1024;

export interface EngineKeyPlace {
  readonly engine: string;
  /** `pkcs11:…` */
  readonly uri: string;
}

export type EngineKeySystem = Pick<System, "files" | "processes" | "timers">;

/** What openssl says, without the PIN of the URI that it repeats. */
function discreet(line: string): string {
  return line.replace(/(pin-value=)[^&;\s]*/gi, "$1…");
}

/** Runs openssl. */
async function openssl(
  system: EngineKeySystem,
  what: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const said: string[] = [];
  const failed = (why: string, cause?: unknown): AgentError =>
    new AgentError("key-unusable", `Security.AuthPrivateKey: ${what} failed: openssl ${why}`, {
      retryable: true,
      cause,
    });
  try {
    const program = await startProgram(system, {
      command: "openssl",
      args,
      timeoutMs: OPENSSL_MS_MAX,
      killGraceMs: KILL_GRACE_MS,
      answerBytesMax: PEM_BYTES_MAX,
      onLine: (line) => said.push(discreet(line)),
      ...given({ signal }),
    });
    const end = await program.ended;
    if (end.kind === "stopped") signal?.throwIfAborted();
    if (end.kind === "exited" && end.code === 0) return program.answer();
    throw failed([describeEnd(end, OPENSSL_MS_MAX), ...said.slice(0, 3)].join(": "));
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw failed(`cannot be started: ${error.message}`, error);
  }
}

/**
 * A key that lies in hardware and never leaves it: `openssl` signs with it through an engine.
 * @param scratch A directory for what is to be signed; nothing stays there.
 * @throws AgentError `key-unusable`.
 */
export async function loadEngineKey(
  system: EngineKeySystem,
  place: EngineKeyPlace,
  scratch: string,
): Promise<DeviceKey> {
  const engine = ["-engine", place.engine];
  const args = ["pkey", ...engine, "-inform", "engine", "-in", place.uri, "-pubout"];
  const publicPem = await openssl(system, "reading the public key", args);
  const kind = createPublicKey(publicPem).asymmetricKeyType;
  if (kind !== "rsa" && kind !== "ec" && kind !== "ed25519") {
    throw new AgentError("key-unusable", `Security.AuthPrivateKey is a key of the kind ${kind}, which cannot sign`);
  }
  return { publicPem, sign: (data, signal) => signInEngine(system, place, kind, scratch, data, signal) };
}

async function signInEngine(
  { files, ...system }: EngineKeySystem,
  { engine, uri }: EngineKeyPlace,
  kind: "rsa" | "ec" | "ed25519",
  scratch: string,
  data: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<string> {
  const [input, output] = [`${scratch}/auth-request.tmp`, `${scratch}/auth-signature.tmp`];
  // Ed25519 signs the bytes themselves; the others their SHA-256.
  const digest = kind === "ed25519" ? [] : ["-digest", "sha256"];
  try {
    const handle = await files.open(input, "write", 0o600);
    try {
      await handle.write(data);
    } finally {
      await handle.close();
    }
    const key = ["-engine", engine, "-keyform", "engine", "-inkey", uri];
    const args = ["pkeyutl", "-sign", ...key, "-rawin", ...digest, "-in", input, "-out", output];
    await openssl({ files, ...system }, "signing", args, signal);
    const signature = await readFile(files, output, PEM_BYTES_MAX);
    if (signature === undefined) throw new AgentError("key-unusable", "openssl wrote no signature");
    return signature.toString("base64");
  } finally {
    await files.remove(input);
    await files.remove(output);
  }
}
