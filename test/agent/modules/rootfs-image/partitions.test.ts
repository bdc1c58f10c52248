import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findMountedRoot, findMountPoint } from "../../../../agent/modules/rootfs-image/mounted-root.ts";
import { rootPartitions } from "../../../../agent/modules/rootfs-image/partitions.ts";
import { readRootfsSettings } from "../../../../agent/modules/rootfs-image/rootfs-settings.ts";
import { linuxFiles as files } from "../../../../agent/system/files.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "upkeep-partitions-"));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

function link(path: string, target: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  symlinkSync(target, join(root, path));
}

function block(name: string, number: string, sectors = 2048): void {
  put(`dev/${name}`, "");
  put(`sys/class/block/${name}/dev`, `${number}\n`);
  put(`sys/class/block/${name}/size`, `${sectors}\n`);
}

function volume(name: string, label: string, number: string): void {
  put(`dev/${name}`, "");
  put(`sys/class/ubi/${name}/dev`, `${number}\n`);
  put(`sys/class/ubi/${name}/name`, `${label}\n`);
  put(`sys/class/ubi/${name}/reserved_ebs`, "100\n");
  put(`sys/class/ubi/${name}/usable_eb_size`, "126976\n");
}

function mounts(...lines: string[]): void {
  put("proc/self/mountinfo", lines.map((line, index) => `${20 + index} 1 ${line}\n`).join(""));
}

const partitions = (partA: string, partB: string) => rootPartitions(files, root, { partA, partB });

async function mounted(partA: string, partB: string): Promise<number | undefined> {
  return (await findMountedRoot(files, root, await partitions(partA, partB)))?.number;
}

describe("the two partitions", () => {
  it("are described by what the kernel says of them", async () => {
    block("mmcblk0p2", "179:2", 8_388_608 * 2);
    block("mmcblk0p3", "179:3");
    expect(await partitions("/dev/mmcblk0p2", "/dev/mmcblk0p3")).toMatchObject([
      { kind: "block", number: 2, deviceNumber: "179:2", sizeBytes: 8 * 1024 ** 3 },
      { kind: "block", number: 3, deviceNumber: "179:3", sizeBytes: 1024 ** 2 },
    ]);
  });

  it("may be named by links: by label the device's number counts, else the link's own", async () => {
    block("sda2", "8:2");
    block("sda3", "8:3");
    link("dev/disk/by-partlabel/root1", "../../sda2");
    link("dev/root-b", "sda3");
    expect((await partitions("/dev/disk/by-partlabel/root1", "/dev/root-b")).map(({ number }) => number)).toEqual([
      2, 3,
    ]);
    link("dev/mapper/vg-root12", "../sda2");
    expect((await partitions("/dev/mapper/vg-root12", "/dev/sda3")).map(({ number }) => number)).toEqual([12, 3]);
  });

  it("may be UBI volumes, sized by their erase blocks", async () => {
    volume("ubi0_0", "rootfsa", "248:1");
    volume("ubi0_1", "rootfsb", "248:2");
    expect(await partitions("/dev/ubi0_0", "/dev/ubi0_1")).toMatchObject([
      { kind: "ubi", number: 0, sizeBytes: 12_697_600 },
      { kind: "ubi", number: 1 },
    ]);
  });

  it("are refused by key and value when they make no sense", async () => {
    block("sda2", "8:2");
    block("sdb2", "8:18");
    block("sda", "8:0");
    put("dev/file3", "no device");
    await expect(partitions("/dev/sda2", "/dev/sda9")).rejects.toThrow(
      'RootfsPartB is "/dev/sda9", but there is no such device',
    );
    await expect(partitions("/dev/sda2", "/dev/file3")).rejects.toThrow(
      'RootfsPartB is "/dev/file3", which is neither a block device nor a UBI volume',
    );
    await expect(partitions("/dev/sda", "/dev/sda2")).rejects.toThrow(
      'RootfsPartA is "/dev/sda", but its name does not end',
    );
    await expect(partitions("/dev/sda2", "/dev/sdb2")).rejects.toThrow("both have the number 2");
    link("dev/sdc3", "sda2");
    await expect(partitions("/dev/sda2", "/dev/sdc3")).rejects.toThrow("are the same device");
  });
});

describe("the mounted root", () => {
  it("is found by its device number, whatever the kernel calls the device", async () => {
    block("sda2", "8:2");
    block("sda3", "8:3");
    mounts("0:2 / / rw - rootfs rootfs rw", "8:3 / / rw,relatime shared:1 - ext4 /dev/root rw");
    expect(await mounted("/dev/sda2", "/dev/sda3")).toBe(3);
    mounts("8:4 / / rw - ext4 /dev/sda4 rw");
    expect(await mounted("/dev/sda2", "/dev/sda3")).toBeUndefined();
  });

  it("is found below dm-verity and dm-crypt", async () => {
    block("sda2", "8:2");
    block("sda3", "8:3");
    block("dm-1", "254:1");
    put("sys/dev/block/254:0/slaves/dm-1", "");
    put("sys/dev/block/254:1/slaves/sda3", "");
    mounts("254:0 / / ro - ext4 /dev/mapper/root ro");
    expect(await mounted("/dev/sda2", "/dev/sda3")).toBe(3);
  });

  it("is found below an overlay by what the boot loader told the kernel", async () => {
    block("sda2", "8:2");
    block("sda3", "8:3");
    link("dev/disk/by-partuuid/0a-03", "../../sda3");
    mounts("0:30 / / rw - overlay overlay rw,lowerdir=/ro");
    put("proc/cmdline", "console=tty0 root=PARTUUID=0a-03 rw\n");
    expect(await mounted("/dev/sda2", "/dev/sda3")).toBe(3);
    put("proc/cmdline", "root=/dev/sda2\n");
    expect(await mounted("/dev/sda2", "/dev/sda3")).toBe(2);
    put("proc/cmdline", "root=/dev/nfs\n");
    expect(await mounted("/dev/sda2", "/dev/sda3")).toBeUndefined();
  });

  it("is a UBI volume by number or by name", async () => {
    volume("ubi0_0", "rootfsa", "248:1");
    volume("ubi0_1", "rootfsb", "248:2");
    for (const source of ["ubi0:rootfsb", "ubi0_1", "/dev/ubi0_1"]) {
      mounts(`0:15 / / rw - ubifs ${source} rw`);
      expect(await mounted("/dev/ubi0_0", "/dev/ubi0_1")).toBe(1);
    }
    mounts("0:15 / / rw - ubifs ubi1:rootfsb rw");
    expect(await mounted("/dev/ubi0_0", "/dev/ubi0_1")).toBeUndefined();
  });

  it("is not the only mount that forbids writing", async () => {
    block("sda2", "8:2");
    block("sda3", "8:3");
    const [, b] = await partitions("/dev/sda2", "/dev/sda3");
    mounts("8:2 / / rw - ext4 /dev/root rw");
    expect(await findMountPoint(files, root, b)).toBeUndefined();
    mounts("8:2 / / rw - ext4 /dev/root rw", "8:3 / /mnt/other\\040root ro - ext4 /dev/sda3 ro");
    expect(await findMountPoint(files, root, b)).toBe("/mnt/other root");
  });
});

describe("the settings", () => {
  const settings = (workTree = join(root, "data/modules/v3/payloads/0000/tree"), environment = {}) =>
    readRootfsSettings(files, { root, workTree, environment });

  it("come from the fallback beside the work tree's data, and the main file wins", async () => {
    put("data/mender.conf", '{"RootfsPartA": "/dev/sda2", "rootfspartb": "/dev/sda3"}');
    expect(await settings()).toEqual({ partA: "/dev/sda2", partB: "/dev/sda3" });
    put("etc/mender/mender.conf", '{"RootfsPartB": "/dev/sda5", "ServerURL": "https://example.com"}');
    expect(await settings()).toEqual({ partA: "/dev/sda2", partB: "/dev/sda5" });
  });

  it("come from the directories that the environment names", async () => {
    put("conf/mender.conf", '{"RootfsPartA": "ubi0_0"}');
    put("store/mender.conf", '{"RootfsPartA": "/dev/sda2", "RootfsPartB": "/dev/ubi0_1"}');
    const environment = { MENDER_CONF_DIR: join(root, "conf"), MENDER_DATASTORE_DIR: join(root, "store") };
    expect(await settings("/anywhere", environment)).toEqual({ partA: "/dev/ubi0_0", partB: "/dev/ubi0_1" });
  });

  it("come from the files that were named, which must be there", async () => {
    put("data/mender.conf", '{"RootfsPartA": "/dev/sda2", "RootfsPartB": "/dev/sda3"}');
    put("conf/mender.conf", '{"RootfsPartA": "/dev/sda2"}');
    put("named.conf", '{"RootfsPartA": "/dev/sdb2"}');
    const workTree = join(root, "data/modules/v3/payloads/0000/tree");
    const environment = { MENDER_CONF_DIR: join(root, "conf") };
    const named = (names: { config?: string; fallbackConfig?: string }) =>
      readRootfsSettings(files, { root, workTree, environment, ...names });
    expect(await named({ config: join(root, "named.conf") })).toEqual({ partA: "/dev/sdb2", partB: "/dev/sda3" });
    await expect(named({ fallbackConfig: join(root, "named.conf") })).rejects.toThrow(
      `RootfsPartB is configured neither in ${root}/named.conf nor in ${root}/conf/mender.conf`,
    );
    await expect(named({ config: join(root, "none.conf") })).rejects.toThrow(`${root}/none.conf does not exist`);
  });

  it("name the key and the files where it is missing, and the value that is no path", async () => {
    await expect(settings()).rejects.toThrow(
      `RootfsPartA is configured neither in ${root}/data/mender.conf nor in ${root}/etc/mender/mender.conf`,
    );
    put("etc/mender/mender.conf", '{"RootfsPartA": "sda2", "RootfsPartB": "/dev/sda3"}');
    await expect(settings()).rejects.toThrow('RootfsPartA is "sda2", but must be the path of a device');
    put("etc/mender/mender.conf", "{");
    await expect(settings()).rejects.toThrow("not JSON");
  });
});
