import { createHmac, timingSafeEqual } from "node:crypto";
import { timeMs } from "@upkeep/shared/protocol";

const EXPIRE = "x-men-expire";
const SIGNATURE = "x-men-signature";
const DEVICE = "x-men-device";

/** The names of the query parameters that make a link valid; never to be logged. */
export const LINK_PARAMETERS: readonly string[] = [EXPIRE, SIGNATURE];

export interface SignedLink {
  /** Path and query, without the origin. */
  readonly path: string;
  /** Milliseconds since the Unix epoch. */
  readonly expiresMs: number;
}

/** The request that a link allows: reading or writing. */
export type LinkMethod = "GET" | "PUT";

export type LinkFault = "missing" | "expired" | "forged";

/** Signed links: their holder can read or write one object until they expire, without logging in. */
export class DownloadLinks {
  readonly #key: Uint8Array;
  readonly #now: () => number;

  /**
   * @param key Secret bytes, persistent so that links survive a restart.
   * @param now Milliseconds since the Unix epoch.
   */
  constructor(key: Uint8Array, now: () => number) {
    this.#key = key;
    this.#now = now;
  }

  #signature(method: LinkMethod, path: string, expire: string, deviceId: string | undefined): Buffer {
    const device = deviceId === undefined ? "" : `${deviceId}\n`;
    return createHmac("sha256", this.#key).update(`${method}\n${path}\n${expire}\n${device}`).digest();
  }

  /** @param deviceId The use of the link is a sign of life of this device. */
  sign(path: string, lifeMs: number, method: LinkMethod = "GET", deviceId?: string): SignedLink {
    const expiresMs = this.#now() + lifeMs;
    const expire = new Date(expiresMs).toISOString();
    const query = new URLSearchParams({
      [EXPIRE]: expire,
      ...(deviceId === undefined ? {} : { [DEVICE]: deviceId }),
      [SIGNATURE]: this.#signature(method, path, expire, deviceId).toString("base64url"),
    });
    return { path: `${path}?${query}`, expiresMs };
  }

  /** @returns Why the link is not valid, or `undefined` if it is. */
  fault(path: string, query: Readonly<Record<string, unknown>>, method: LinkMethod = "GET"): LinkFault | undefined {
    const expire = query[EXPIRE];
    const signature = query[SIGNATURE];
    if (typeof expire !== "string" || typeof signature !== "string") return "missing";
    const device = linkedDevice(query);
    const expected = this.#signature(method, path, expire, device);
    const given = Buffer.from(signature, "base64url");
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return "forged";
    return this.#now() < (timeMs(expire) ?? 0) ? undefined : "expired";
  }
}

/** The device that a valid link names. */
export function linkedDevice(query: Readonly<Record<string, unknown>>): string | undefined {
  const device = query[DEVICE];
  return typeof device === "string" ? device : undefined;
}
