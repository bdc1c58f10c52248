// biome-ignore lint/style/noRestrictedImports: pure functions of addresses; nothing is opened
import { BlockList, isIP } from "node:net";

const FAMILIES: Readonly<Record<number, { readonly name: "ipv4" | "ipv6"; readonly bits: number }>> = {
  4: { name: "ipv4", bits: 32 },
  6: { name: "ipv6", bits: 128 },
};

function familyOf(address: string) {
  // A zone such as %eth0 is known to this machine only.
  return address.includes("%") ? undefined : FAMILIES[isIP(address)];
}

/** One IP address, or all of a network. An IPv4 address that is mapped into IPv6 counts as the IPv4 address. */
export class AddressRange {
  readonly #list = new BlockList();

  private constructor() {}

  /** @param text Such as `10.1.2.3`, `fd00::1` or `10.0.0.0/8`. @returns `undefined` if it is neither. */
  static parse(text: string): AddressRange | undefined {
    const [address = "", length, ...more] = text.split("/");
    const family = familyOf(address);
    if (family === undefined || more.length > 0) return undefined;
    const range = new AddressRange();
    if (length === undefined) {
      range.#list.addAddress(address, family.name);
      return range;
    }
    if (!/^\d{1,3}$/.test(length) || Number(length) > family.bits) return undefined;
    range.#list.addSubnet(address, Number(length), family.name);
    return range;
  }

  /** @param host An address, or a host name, which is in no range. */
  includes(host: string): boolean {
    const family = familyOf(host);
    return family !== undefined && this.#list.check(host, family.name);
  }
}
