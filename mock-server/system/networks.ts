import { BlockList, isIP } from "node:net";

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
  const list = new BlockList();
  for (const text of texts) if (!add(list, text)) return { wrong: text };
  return {
    has: (address) => {
      const plain = plainAddress(address);
      const version = isIP(plain);
      return version !== 0 && list.check(plain, version === 4 ? "ipv4" : "ipv6");
    },
  };
}

function add(list: BlockList, text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || address.includes("%") || more.length > 0) return false;
  const family = version === 4 ? "ipv4" : "ipv6";
  if (bits === undefined) {
    list.addAddress(address, family);
    return true;
  }
  const prefix = Number(bits);
  if (!/^\d{1,3}$/.test(bits) || prefix > (version === 4 ? 32 : 128)) return false;
  list.addSubnet(address, prefix, family);
  return true;
}
