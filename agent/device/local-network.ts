import { type Files, readTextFile } from "@upkeep/shared/system";

const INTERFACES = "/sys/class/net";
const TABLE_BYTES_MAX = 1024 * 1024;
/** Scope of an IPv6 address that is good beyond its own link. */
const GLOBAL_SCOPE = "00";

/**
 * The interfaces of this machine that are connected to something: the link is up, and there is an address that
 * others can reach it by. The loopback interface does not count.
 * @throws SystemError if the kernel's tables cannot be read.
 */
export async function connectedInterfaces(files: Files): Promise<string[]> {
  const addressed = new Set([...(await routed(files)), ...(await withGlobalAddress(files))]);
  const connected: string[] = [];
  for (const name of addressed) {
    if (name !== "lo" && (await hasLink(files, name))) connected.push(name);
  }
  return connected.sort();
}

async function hasLink(files: Files, name: string): Promise<boolean> {
  const state = (await readTextFile(files, `${INTERFACES}/${name}/operstate`, TABLE_BYTES_MAX))?.trim();
  // Links without a carrier, such as those of PPP modems and tunnels, do not know.
  return state === "up" || state === "unknown";
}

/** An IPv4 address brings a route over its interface. */
async function routed(files: Files): Promise<string[]> {
  const table = (await readTextFile(files, "/proc/net/route", TABLE_BYTES_MAX)) ?? "";
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => line.split(/\s+/, 1))
    .filter((name) => name !== "");
}

async function withGlobalAddress(files: Files): Promise<string[]> {
  const table = (await readTextFile(files, "/proc/net/if_inet6", TABLE_BYTES_MAX)) ?? "";
  return table.split("\n").flatMap((line) => {
    const [, , , scope, , name] = line.trim().split(/\s+/);
    return scope === GLOBAL_SCOPE && name !== undefined ? [name] : [];
  });
}
