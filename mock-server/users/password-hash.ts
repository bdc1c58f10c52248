import { type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";
import type { Random } from "@upkeep/shared/system";

/** The N of scrypt: each check takes 64 MiB of memory, and as long as a guess may well take. */
export const PASSWORD_WORK = 2 ** 16;
const BLOCKS = { r: 8, p: 1 };
const SALT_BYTES = 16;
const KEY_BYTES = 32;

/**
 * `scrypt$N$r$p$salt$key`, salt and key in base64. The hash names its factors, so they can change later.
 * @param work A power of two.
 */
export async function hashPassword(random: Random, password: string, work: number): Promise<string> {
  const salt = random.bytes(SALT_BYTES);
  return format(work, salt, await derive(password, salt, KEY_BYTES, { N: work, ...BLOCKS }));
}

/** A hash that no password matches: checking it takes as long as any other of the same work. */
export function decoyHash(random: Random, work: number): string {
  return format(work, random.bytes(SALT_BYTES), random.bytes(KEY_BYTES));
}

function format(work: number, salt: Uint8Array, key: Uint8Array): string {
  return ["scrypt", work, BLOCKS.r, BLOCKS.p, base64(salt), base64(key)].join("$");
}

/** True if `hash` is a hash of `password`. */
export async function isPassword(password: string, hash: string): Promise<boolean> {
  const [scheme, N, r, p, salt, key] = hash.split("$");
  if (scheme !== "scrypt" || salt === undefined || key === undefined) {
    throw new Error("a stored password hash is not of a known form");
  }
  const expected = Buffer.from(key, "base64");
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  return timingSafeEqual(await derive(password, Buffer.from(salt, "base64"), expected.length, cost), expected);
}

/** A random password of 120 bits, easy to copy. */
export function makePassword(random: Random): string {
  return Buffer.from(random.bytes(15)).toString("base64url");
}

function derive(password: string, salt: Uint8Array, bytes: number, cost: ScryptOptions): Promise<Buffer> {
  const maxmem = 256 * (cost.N ?? 1) * (cost.r ?? 1);
  return new Promise((resolve, reject) => {
    scrypt(password.normalize("NFC"), salt, bytes, { ...cost, maxmem }, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
