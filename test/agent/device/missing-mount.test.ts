import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { fstabMountPoints, missingMount } from "../../../agent/device/missing-mount.ts";
import { linuxSystem } from "../../../agent/system/index.ts";
import { temporaryDirectory } from "../system/directory.ts";

const { files } = linuxSystem();
const directory = temporaryDirectory();
let root: string;
let count = 0;

beforeEach(() => {
  root = join(directory, String(++count));
  for (const name of ["etc", "proc/self", "var/lib", "data"]) mkdirSync(join(root, name), { recursive: true });
});

const put = (path: string, text: string): void => writeFileSync(join(root, path), text);
const mounted = (...points: readonly string[]): void =>
  put("proc/self/mountinfo", points.map((point) => `22 1 8:2 / ${point} rw - ext4 /dev/sda2 rw\n`).join(""));
const missing = () => missingMount(files, root, join(root, "var/lib/mender"));

describe("the mount points of /etc/fstab", () => {
  it("are those that are mounted at the boot", () => {
    const text = [
      "# /dev/sda9 /commented ext4 defaults 0 0",
      "/dev/sda1 / ext4 defaults 0 1",
      "/dev/sda2\t/data/   ext4 nofail 0 2",
      "/dev/sda3 /later ext4 noauto 0 2",
      "/dev/sda4 none swap sw 0 0",
      "",
    ].join("\n");
    expect(fstabMountPoints(text)).toEqual(["/", "/data"]);
  });
});

describe("the data directory", () => {
  it("misses its mount if that is listed and not mounted", async () => {
    put("etc/fstab", "/dev/sda2 /var/lib ext4 defaults 0 2\n");
    mounted("/");
    expect(await missing()).toBe("/var/lib");
    mounted("/", "/var/lib");
    expect(await missing()).toBeUndefined();
  });

  it("is looked for behind links, whose targets need not exist", async () => {
    put("etc/fstab", "/dev/sda2 /data ext4 defaults 0 2\n");
    mounted("/");
    expect(await missing()).toBeUndefined();
    symlinkSync("../../data/mender", join(root, "var/lib/mender"));
    expect(await missing()).toBe("/data");
  });

  it("misses nothing without /etc/fstab, or on the root file system", async () => {
    expect(await missing()).toBeUndefined();
    put("etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n/dev/sda2 /var/library ext4 defaults 0 2\n");
    expect(await missing()).toBeUndefined();
  });
});
