import { execFileSync } from "node:child_process";
import { appendFileSync, cpSync } from "node:fs";
import { join } from "node:path";

/** What makes images of one system alike: see the README of the server. */
const UUID = "5b0c3f3c-6b7a-4d53-9f0e-2c7d1f8a4b11";
const EPOCH = "1700000000";

export type Tool = (program: string, args: readonly string[]) => void;

/** An ext4 image of `mebibytes` with the same identifiers each time. Below 512 MB mke2fs would take blocks of 1 KiB. */
export function ext4(root: string, image: string, mebibytes: number): string {
  const identity = ["-U", UUID, "-E", `hash_seed=${UUID}`];
  execFileSync("/sbin/mke2fs", ["-q", "-t", "ext4", "-b", "4096", "-d", root, ...identity, image, `${mebibytes}M`], {
    stdio: "pipe",
    env: { ...process.env, E2FSPROGS_FAKE_TIME: EPOCH, SOURCE_DATE_EPOCH: EPOCH },
  });
  return image;
}

export function squashfs(tool: Tool, root: string, image: string): string {
  const fixed = ["-no-progress", "-noappend", "-all-root", "-mkfs-time", EPOCH];
  tool("mksquashfs", [root, image, "-comp", "zstd", "-b", "64K", ...fixed]);
  return image;
}

function copyOf(root: string, to: string): string {
  execFileSync("cp", ["-a", root, to]);
  return to;
}

/** A line more in one configuration file. */
export function withOneLine(root: string, to: string): string {
  const copy = copyOf(root, to);
  appendFileSync(join(copy, "etc/ssh/moduli"), "# changed by hand\n");
  return copy;
}

/** Every file and directory with another time. */
export function withOtherTimes(root: string, to: string): string {
  const copy = copyOf(root, to);
  execFileSync("find", [copy, "-exec", "touch", "-h", "-d", "@1750000000", "{}", "+"]);
  return copy;
}

/** One more application: the libraries of Node's package manager as this machine has them. */
export function withApplication(root: string, to: string, application: string): string {
  const copy = copyOf(root, to);
  cpSync(application, join(copy, "opt/application"), { recursive: true, dereference: true });
  return copy;
}
