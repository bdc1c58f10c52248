/** Parses what names a mounted file system: sources of mounts, and `root=` of the kernel's command line. */

import type { Mount } from "../../system/mount-info.ts";

/** The mount at `/`: the last one, if several are stacked. */
export function rootMount(mounts: readonly Mount[]): Mount | undefined {
  return mounts.findLast(({ mountPoint }) => mountPoint === "/");
}

/** `root=` of the kernel's command line, quotes removed; the last one counts. */
export function rootArgument(commandLine: string): string | undefined {
  const words = commandLine.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
  const argument = words.findLast((word) => word.startsWith("root="));
  return argument?.slice("root=".length).replaceAll('"', "");
}

const BY_TAG: ReadonlyMap<string, string> = new Map([
  ["PARTUUID", "/dev/disk/by-partuuid/"],
  ["PARTLABEL", "/dev/disk/by-partlabel/"],
  ["UUID", "/dev/disk/by-uuid/"],
  ["LABEL", "/dev/disk/by-label/"],
]);

/** The path of the device that a `root=` argument or a mount's source names; `undefined` if it names none. */
export function devicePath(name: string): string | undefined {
  if (name.startsWith("/dev/")) return name;
  const [tag = "", ...rest] = name.split("=");
  const directory = BY_TAG.get(tag);
  return directory === undefined || rest.length === 0 ? undefined : directory + rest.join("=");
}

/** The UBI volume that a `root=` argument or a mount's source names: by number, or by name on its device. */
export function ubiVolume(name: string): { readonly node: string } | { device: string; volume: string } | undefined {
  const node = /^(?:\/dev\/)?(ubi\d+_\d+)$/.exec(name)?.[1];
  if (node !== undefined) return { node };
  const named = /^(ubi\d+)[:!](.+)$/.exec(name);
  return named?.[1] === undefined || named[2] === undefined ? undefined : { device: named[1], volume: named[2] };
}
