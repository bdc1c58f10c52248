import { existsSync, mkdirSync, readFileSync, renameSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseOffer } from "../../../../agent/modules/rootfs-image/payload.ts";
import { AbDevice, image, PARTITION_BYTES } from "./device.ts";

const good = image(true, 7);

describe("boot loaders", () => {
  it("are named with what was found of each when none can be used", async () => {
    const device = new AbDevice("fw_setenv", {}, false);
    device.program("fw_printenv", "echo cannot read the flash >&2; exit 243");
    const { exitCode, stderr } = await device.call("ArtifactInstall");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("GRUB (grub-mender-grubenv): not there");
    expect(stderr).toContain("U-Boot: fw_printenv failed with exit code 243: cannot read the flash");
    expect(stderr).toContain("GRUB (grub-editenv): not there");
  });

  it("count only if their environment says what to boot", async () => {
    const device = new AbDevice("grub-editenv", {}, false);
    device.program("fw_printenv", "echo bootdelay=2");
    device.program("fw_setenv", "echo never called >&2; exit 1");
    expect(await device.download(good)).toMatchObject({ exitCode: 0 });
    expect(await device.call("ArtifactInstall")).toMatchObject({ exitCode: 0 });
    expect(device.variables()).toMatchObject({ mender_boot_part: "3", upgrade_available: "1" });
  });

  it("are not believed when they claim to have written", async () => {
    const device = new AbDevice("fw_setenv", {}, false);
    await device.download(good);
    device.program("fw_setenv", "exit 0");
    const { exitCode, stderr } = await device.call("ArtifactInstall");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("fw_setenv reported success, but mender_boot_part is not 3");
  });

  it("take one variable after the other where there is no batch, the switch last", async () => {
    const device = new AbDevice("fw_setenv", {}, false);
    await device.download(good);
    const calls = join(device.root, "calls");
    const config = join(device.root, "fw_env.config");
    device.program(
      "fw_setenv",
      `[ "$1" != -s ] || exit 2; echo "$1" >>'${calls}'; exec /usr/bin/fw_setenv -c '${config}' "$@"`,
    );
    expect(await device.call("ArtifactInstall")).toMatchObject({ exitCode: 0 });
    const names = readFileSync(calls, "utf8").trim().split("\n");
    expect(names).toEqual(["mender_boot_part", "mender_boot_part_hex", "bootcount", "upgrade_available"]);
    expect(device.variables()).toMatchObject({ mender_boot_part: "3", upgrade_available: "1", bootcount: "0" });
  });
});

describe("GRUB's plain environment block", () => {
  it("is overwritten in place, also behind a link, with its size and mode", async () => {
    const device = new AbDevice("grub-editenv", {}, false);
    const [block, real] = [join(device.root, "boot/grub/grubenv"), join(device.root, "boot/efi/grubenv")];
    mkdirSync(join(device.root, "boot/efi"));
    renameSync(block, real);
    symlinkSync("../efi/grubenv", block);
    const before = statSync(real);
    expect(await device.download(good)).toMatchObject({ exitCode: 0 });
    expect(await device.call("ArtifactInstall")).toMatchObject({ exitCode: 0 });
    const after = statSync(real);
    expect([after.size, after.mode, after.ino]).toEqual([1024, before.mode, before.ino]);
    expect(readFileSync(block).equals(readFileSync(real))).toBe(true);
    expect(existsSync(`${real}.upkeep`)).toBe(false);
  });

  it("stays as it was when the editor dies after it emptied the block", async () => {
    const device = new AbDevice("grub-editenv", {}, false);
    await device.download(good);
    const before = device.variables();
    device.program("grub-editenv", '[ "$2" = set ] || exec /usr/bin/grub-editenv "$@"; : >"$1"; kill -9 $$');
    const { exitCode, stderr } = await device.call("ArtifactInstall");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("grub-editenv was ended by SIGKILL");
    expect(device.variables()).toEqual(before);
    expect(existsSync(join(device.root, "boot/grub/grubenv.upkeep"))).toBe(false);
  });
});

describe("a UBI volume", () => {
  /** Volumes of the fake sysfs; a program that takes an image from a file as ubiupdatevol does. */
  function ubiDevice(): AbDevice {
    const device = new AbDevice("fw_setenv", { mender_boot_part: "0", mender_boot_part_hex: "0" }, false);
    device.configure({ RootfsPartA: "ubi0_0", RootfsPartB: "/dev/ubi0_1" });
    for (const [index, name] of ["rootfsa", "rootfsb"].entries()) {
      const sysfs = `sys/class/ubi/ubi0_${index}`;
      mkdirSync(join(device.root, sysfs), { recursive: true });
      device.writeFile(`dev/ubi0_${index}`, "");
      device.writeFile(`${sysfs}/dev`, `248:${index + 1}\n`);
      device.writeFile(`${sysfs}/name`, `${name}\n`);
      device.writeFile(`${sysfs}/reserved_ebs`, `${PARTITION_BYTES / 65536}\n`);
      device.writeFile(`${sysfs}/usable_eb_size`, "65536\n");
    }
    device.writeFile("proc/self/mountinfo", "22 1 0:15 / / rw - ubifs ubi0:rootfsa rw\n");
    device.program("ubiupdatevol", 'cat "$3" >"$1"; echo "$2" >"$1.flags"');
    return device;
  }

  it("is written by the tool that knows of bad blocks, straight from the stream", async () => {
    const device = ubiDevice();
    expect(await device.download(good)).toMatchObject({ exitCode: 0 });
    expect(readFileSync(join(device.root, "dev/ubi0_1")).equals(good)).toBe(true);
    expect(readFileSync(join(device.root, "dev/ubi0_1.flags"), "utf8")).toBe(`--size=${good.length}\n`);
    expect((await device.downloadWithoutSizes(good)).stderr).toContain("takes no image without its size");
    expect(await device.call("ArtifactInstall")).toMatchObject({ exitCode: 0 });
    expect(device.variables()).toMatchObject({ mender_boot_part: "1", upgrade_available: "1" });
  });

  it("is not touched by an image that is too large, and a failing tool fails the download", async () => {
    const device = ubiDevice();
    const large = await device.download(Buffer.alloc(PARTITION_BYTES + 1));
    expect(large.stderr).toContain(`but /dev/ubi0_1 only ${PARTITION_BYTES}`);
    expect(readFileSync(join(device.root, "dev/ubi0_1")).length).toBe(0);
    device.program("ubiupdatevol", "echo volume is busy >&2; exit 255");
    const failed = await device.download(good);
    expect(failed).toMatchObject({ exitCode: 1 });
    expect(failed.stderr).toContain("ubiupdatevol failed with exit code 255: volume is busy");
    device.removeProgram("ubiupdatevol");
    expect((await device.download(good)).stderr).toContain("ubiupdatevol is not installed");
  });
});

describe("the line that offers a file", () => {
  it("is a name below streams/, which may hold blanks, and a size of any length", () => {
    expect(parseOffer("streams/my image.ext4 5368709120", true)).toEqual({
      name: "streams/my image.ext4",
      sizeBytes: 5368709120,
    });
    for (const line of [
      "streams/x",
      "streams/../x 1",
      "streams/.. 1",
      "x 1",
      "streams/x -1",
      "streams/x 9007199254740993",
    ]) {
      expect(() => parseOffer(line, true)).toThrow("stream-next offers");
    }
  });

  it("is the name alone where no sizes are told", () => {
    expect(parseOffer("streams/my image 5", false)).toEqual({ name: "streams/my image 5", sizeBytes: undefined });
    for (const line of ["streams/", "streams/..", "streams/a/b", "x"]) {
      expect(() => parseOffer(line, false)).toThrow("not streams/<name>");
    }
  });
});
