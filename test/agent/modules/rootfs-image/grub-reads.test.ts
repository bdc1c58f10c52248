import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { parseVariables } from "../../../../agent/modules/rootfs-image/variables.ts";
import { describePeer } from "../../../interop/peers.ts";
import { canMount, mountExt4, unmountAll } from "../../../support/mounted.ts";
import { AbDevice, image } from "./device.ts";

/** A device whose environment block lies on ext4, and is as old as the file system. */
function deviceOnExt4(): AbDevice {
  const device = new AbDevice("grub-editenv", {}, false);
  const boot = join(device.root, "boot/grub");
  const block = join(device.root, "grubenv");
  copyFileSync(join(boot, "grubenv"), block);
  onTestFinished(unmountAll);
  mountExt4(boot, 8, 64);
  cpSync(block, join(boot, "grubenv"));
  rmSync(block);
  execFileSync("sync", ["--file-system", boot]);
  return device;
}

/** What GRUB finds on the disk if the power goes now: it reads without the journal of the file system. */
function readByGrub(device: AbDevice): Readonly<Record<string, string>> {
  const disk = join(device.root, "disk-at-the-power-cut");
  copyFileSync(join(device.root, "boot/grub.ext4"), disk);
  return parseVariables(execFileSync("grub-fstest", [disk, "cat", "(loop0)/grubenv"], { encoding: "utf8" }));
}

const ready = canMount();

describePeer(["grub-fstest"], "GRUB's environment block on a file system with a journal", () => {
  describe.runIf(ready)("is what GRUB reads after a power cut", () => {
    it("right after the installation and right after the commit", async () => {
      const device = deviceOnExt4();
      expect(readByGrub(device)).toMatchObject({ mender_boot_part: "2", upgrade_available: "0" });
      await device.download(image(true, 7));
      expect(await device.call("ArtifactInstall")).toMatchObject({ exitCode: 0 });
      expect(readByGrub(device)).toMatchObject({ mender_boot_part: "3", upgrade_available: "1", bootcount: "0" });
      device.reboot();
      expect(await device.call("ArtifactCommit")).toMatchObject({ exitCode: 0 });
      expect(readByGrub(device)).toMatchObject({ mender_boot_part: "3", upgrade_available: "0" });
    });
  });
});
