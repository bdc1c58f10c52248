import { isIP } from "node:net";
import { AddressRange } from "@upkeep/shared/system";

const MAPPED_IPV4 = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i;

/** An IPv4 address that a socket for both versions shows as IPv6, as IPv4; any other text as it is. */
export function plainAddress(address: string): string {
  return address.replace(MAPPED_IPV4, "");
}

export function isIpAddress(text: string): boolean {
  return isIP(text) !== 0;
}

/** A set of IP addresses. */
export interface Networks {
  has(address: string): boolean;
}

/**
 * @param texts Addresses, and networks such as `10.0.0.0/8`.
 * @returns The first text that is neither, if there is one.
 */
export function parseNetworks(texts: readonly string[]): Networks | { readonly wrong: string } {
  const ranges: AddressRange[] = [];
  for (const text of texts) {
    const range = AddressRange.parse(text);
    if (range === undefined) return { wrong: text };
    ranges.push(range);
  }
  return { has: (address) => ranges.some((range) => range.includes(address)) };
}
