import { describe, expect, it } from "vitest";
import { devicePath, rootArgument, rootMount, ubiVolume } from "../../../../agent/modules/rootfs-image/mounts.ts";
import { parseMountInfo } from "../../../../agent/system/mount-info.ts";

describe("what the kernel says of mounts", () => {
  it("is read with any number of optional fields, and with blanks in names", () => {
    const mounts = parseMountInfo(
      [
        "22 1 8:2 / / rw,relatime - ext4 /dev/root rw",
        "30 22 8:4 / /media/my\\040disk rw shared:1 master:2 - vfat /dev/sda4 rw",
        "31 22 0:40 / /proc rw - proc proc rw",
        "",
        "nonsense",
      ].join("\n"),
    );
    expect(mounts).toEqual([
      { deviceNumber: "8:2", mountPoint: "/", fileSystem: "ext4", source: "/dev/root" },
      { deviceNumber: "8:4", mountPoint: "/media/my disk", fileSystem: "vfat", source: "/dev/sda4" },
      { deviceNumber: "0:40", mountPoint: "/proc", fileSystem: "proc", source: "proc" },
    ]);
  });

  it("has the last mount on / as the root", () => {
    const mounts = parseMountInfo("1 1 0:2 / / rw - rootfs rootfs rw\n22 1 179:2 / / rw - ext4 /dev/root rw\n");
    expect(rootMount(mounts)?.deviceNumber).toBe("179:2");
    expect(rootMount([])).toBeUndefined();
  });

  it("names the root in the kernel's command line", () => {
    expect(rootArgument("console=ttyS0 root=/dev/sda2 rw")).toBe("/dev/sda2");
    expect(rootArgument("root=/dev/sda2 root=PARTUUID=ab-02\n")).toBe("PARTUUID=ab-02");
    expect(rootArgument('quiet root="LABEL=my root" rw')).toBe("LABEL=my root");
    expect(rootArgument("notroot=/dev/sda2")).toBeUndefined();
  });

  it("names devices by path, tag or volume", () => {
    expect(devicePath("/dev/mmcblk0p2")).toBe("/dev/mmcblk0p2");
    expect(devicePath("PARTUUID=ab-02")).toBe("/dev/disk/by-partuuid/ab-02");
    expect(devicePath("LABEL=a=b")).toBe("/dev/disk/by-label/a=b");
    expect(devicePath("overlay")).toBeUndefined();
    expect(ubiVolume("ubi0_1")).toEqual({ node: "ubi0_1" });
    expect(ubiVolume("/dev/ubi0_1")).toEqual({ node: "ubi0_1" });
    expect(ubiVolume("ubi0:rootfsb")).toEqual({ device: "ubi0", volume: "rootfsb" });
    expect(ubiVolume("/dev/sda2")).toBeUndefined();
  });
});
