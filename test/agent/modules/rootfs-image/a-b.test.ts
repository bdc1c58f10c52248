import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AbDevice, image, loopDevicesWork, PARTITION_BYTES, type Part, type Tools } from "./device.ts";

const useLoops = loopDevicesWork();
const material = useLoops ? "loop devices" : "files, as there are no loop devices here";

const OLD: Part = 2;
const NEW: Part = 3;
const good = image(true, 7);
const bad = image(false, 8);
const done = { exitCode: 0 };
const refused = { exitCode: 1 };

/** With files for partitions, which are quicker to make. */
function device(variables: Record<string, string> = {}): AbDevice {
  return new AbDevice("fw_setenv", variables, false);
}

async function installed(content: Buffer, one = device()): Promise<AbDevice> {
  expect(await one.download(content)).toMatchObject(done);
  expect(await one.call("ArtifactInstall")).toMatchObject(done);
  return one;
}

const everyTools: Tools[] = ["fw_setenv", "fw_setenv of old", "grub-mender-grubenv", "grub-editenv"];

describe.each(everyTools)(`an A/B update with %s, on ${material}`, (tools) => {
  const fresh = (): AbDevice => new AbDevice(tools, {}, useLoops);

  it("installs a good image, boots it and commits it", async () => {
    const one = fresh();
    const downloaded = await one.download(good);
    expect(downloaded).toMatchObject({ ...done, stdout: "" });
    expect(downloaded.stderr).toContain("100% of 4.0 MiB");
    expect(one.content(NEW).equals(good)).toBe(true);
    expect(await one.call("ArtifactInstall")).toMatchObject({ ...done, stdout: "" });
    expect(one.variables()).toMatchObject({
      mender_boot_part: "3",
      mender_boot_part_hex: "3",
      upgrade_available: "1",
      bootcount: "0",
    });
    expect(await one.call("NeedsArtifactReboot")).toMatchObject({ ...done, stdout: "Automatic\n" });
    expect(one.reboot()).toBe(NEW);
    expect(await one.call("ArtifactVerifyReboot")).toMatchObject(done);
    expect(await one.call("ArtifactCommit")).toMatchObject(done);
    expect(await one.call("Cleanup")).toMatchObject(done);
    expect(one.variables()).toMatchObject({ mender_boot_part: "3", upgrade_available: "0" });
    expect(one.reboot()).toBe(NEW);
    // And the other way round.
    expect(await one.download(image(true, 9))).toMatchObject(done);
    expect(await one.call("ArtifactInstall")).toMatchObject(done);
    expect(one.reboot()).toBe(OLD);
    expect(await one.call("ArtifactCommit")).toMatchObject(done);
  });

  it("finds itself on the old root file system when the image does not boot", async () => {
    const one = await installed(bad, fresh());
    expect(one.reboot()).toBe(OLD);
    const verified = await one.call("ArtifactVerifyReboot");
    expect(verified).toMatchObject(refused);
    expect(verified.stderr).toContain("went back to partition 2");
    expect(await one.call("ArtifactCommit")).toMatchObject(refused);
    expect(await one.call("SupportsRollback")).toMatchObject({ ...done, stdout: "Yes\n" });
    expect(await one.call("ArtifactRollback")).toMatchObject(done);
    expect(one.reboot()).toBe(OLD);
    expect(await one.call("ArtifactVerifyRollbackReboot")).toMatchObject(done);
    expect(one.variables()).toMatchObject({ mender_boot_part: "2", mender_boot_part_hex: "2", upgrade_available: "0" });
  });

  it("rolls back before the reboot, after it, and after the commit", async () => {
    const before = await installed(good, fresh());
    expect(await before.call("ArtifactRollback")).toMatchObject(done);
    expect(before.reboot()).toBe(OLD);
    const after = await installed(good, fresh());
    after.reboot();
    const afterCommit = await installed(good, fresh());
    afterCommit.reboot();
    expect(await afterCommit.call("ArtifactCommit")).toMatchObject(done);
    for (const one of [after, afterCommit]) {
      expect(one.running).toBe(NEW);
      expect(await one.call("ArtifactRollback")).toMatchObject(done);
      expect(await one.call("ArtifactRollback")).toMatchObject(done);
      expect(one.reboot()).toBe(OLD);
      expect(await one.call("ArtifactVerifyRollbackReboot")).toMatchObject(done);
    }
  });
});

describe("an A/B update that meets trouble", () => {
  it("comes back to the old system when the power is cut in ArtifactInstall, on either side of the write", async () => {
    const unwritten = device();
    await unwritten.download(good);
    unwritten.program("fw_setenv", "exit 1");
    expect(await unwritten.call("ArtifactInstall")).toMatchObject(refused);
    unwritten.program("fw_setenv", `exec /usr/bin/fw_setenv -c '${join(unwritten.root, "fw_env.config")}' "$@"`);
    const written = await installed(good);
    for (const one of [unwritten, written]) {
      one.reboot();
      expect(await one.call("ArtifactRollback")).toMatchObject(done);
      expect(one.reboot()).toBe(OLD);
      expect(await one.call("ArtifactVerifyRollbackReboot")).toMatchObject(done);
    }
  });

  it("changes nothing without the canary that the build asks for", async () => {
    const one = device({ mender_check_saveenv_canary: "1" });
    const before = one.variables();
    const download = await one.download(good);
    expect(download).toMatchObject(refused);
    expect(download.stderr).toContain("mender_saveenv_canary");
    expect(await one.call("ArtifactInstall")).toMatchObject(refused);
    expect(one.content(NEW).equals(good)).toBe(false);
    expect(one.variables()).toEqual(before);
    one.setVariables({ mender_saveenv_canary: "1" });
    expect(await one.download(good)).toMatchObject(done);
  });

  it("starts nothing while an update is on probation, and a rollback stays where it runs", async () => {
    const one = device({ upgrade_available: "1" });
    expect((await one.download(good)).stderr).toContain("upgrade_available is 1");
    expect(one.content(NEW).equals(good)).toBe(false);
    expect(await one.call("ArtifactInstall")).toMatchObject(refused);
    expect(await one.call("ArtifactRollback")).toMatchObject(done);
    expect(one.variables()).toMatchObject({ mender_boot_part: "2", upgrade_available: "0" });
  });

  it("refuses a second file", async () => {
    const result = await device().download(good, image(true, 1));
    expect(result).toMatchObject(refused);
    expect(result.stderr).toContain("second file");
  });

  it("refuses a payload without a file, and an empty one", async () => {
    expect((await device().download()).stderr).toContain("holds no file");
    expect((await device().download(Buffer.alloc(0))).stderr).toContain("is empty");
  });

  it("refuses an image that is larger than the partition before it writes", async () => {
    const one = device();
    const before = one.content(NEW);
    const result = await one.download(image(true, 5, PARTITION_BYTES + 1));
    expect(result).toMatchObject(refused);
    expect(result.stderr).toContain(`${PARTITION_BYTES + 1} bytes, but /dev/sda3 only ${PARTITION_BYTES}`);
    expect(one.content(NEW).equals(before)).toBe(true);
  });

  it("refuses a partition that is mounted", async () => {
    const one = device();
    const other = `40 22 ${one.deviceNumber(NEW)} / /media/b rw - ext4 /dev/sda3 rw\n`;
    one.writeFile("proc/self/mountinfo", one.mountInfo() + other);
    expect((await one.download(good)).stderr).toContain("/dev/sda3 is to be written, but it is mounted on /media/b");
    expect(one.content(NEW).equals(good)).toBe(false);
  });

  it("asks for the size of an image, and takes one without it from a client that tells none", async () => {
    const one = device();
    expect(await one.call("ProvidePayloadFileSizes")).toMatchObject({ ...done, stdout: "Yes\n" });
    const small = good.subarray(0, good.length / 2 + 1000);
    const { exitCode, stderr } = await one.downloadWithoutSizes(small);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("there already") });
    expect(one.content(NEW).subarray(0, small.length).equals(small)).toBe(true);
    const large = Buffer.concat([good, Buffer.alloc(1, 1)]);
    expect((await one.downloadWithoutSizes(large)).stderr).toContain(`has more than the ${good.length} bytes`);
    expect((await one.downloadWithoutSizes(Buffer.alloc(0))).stderr).toContain("the image is empty");
    expect((await one.downloadWithoutSizes(small, small)).stderr).toContain("a second file");
    expect((await one.downloadWithoutSizes()).stderr).toContain("the payload holds no file");
  });

  it("passes over calls that it does not know", async () => {
    for (const call of ["ArtifactFailure", "Cleanup", "ArtifactReboot", "toString"]) {
      expect(await device().call(call)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    }
  });

  it("demands that the mounted root is the active partition", async () => {
    const one = device();
    one.setVariables({ mender_boot_part: "3" });
    const result = await one.download(good);
    expect(result).toMatchObject(refused);
    expect(result.stderr).toContain("active partition is 3, but the mounted root file system is partition 2");
  });

  it("leaves a rollback to the boot loader when it cannot write, if a reboot follows", async () => {
    const rebooted = await installed(good);
    rebooted.reboot();
    const notRebooted = await installed(good);
    for (const one of [rebooted, notRebooted]) one.program("fw_setenv", "echo flash is dead >&2; exit 1");
    const left = await rebooted.call("ArtifactRollback");
    expect(left).toMatchObject(done);
    expect(left.stderr).toContain("left to the boot loader");
    const failed = await notRebooted.call("ArtifactRollback");
    expect(failed).toMatchObject(refused);
    expect(failed.stderr).toContain("flash is dead");
  });

  it("rolls back without a configuration, by what it remembers", async () => {
    const one = await installed(good);
    one.configure({});
    expect((await one.call("ArtifactCommit")).stderr).toContain("RootfsPartA is configured neither in");
    expect(await one.call("ArtifactRollback")).toMatchObject(done);
    expect(one.reboot()).toBe(OLD);
  });

  it("rolls back a tree of a client that remembered nothing: to the other partition, or not at all", async () => {
    const one = await installed(good);
    one.reboot();
    one.newWorkTree();
    expect(await one.call("ArtifactRollback")).toMatchObject(done);
    expect(one.reboot()).toBe(OLD);
    const unconfigured = await installed(good);
    unconfigured.newWorkTree();
    unconfigured.configure({});
    const left = await unconfigured.call("ArtifactRollback");
    expect(left).toMatchObject(done);
    expect(left.stderr).toContain("left to the boot loader");
    expect(unconfigured.variables()).toMatchObject({ upgrade_available: "1" });
  });

  it("leaves nothing in the work tree but what it remembers", async () => {
    const one = await installed(good);
    expect(existsSync(join(one.workTree, "tmp/boot-variables"))).toBe(false);
    expect(existsSync(join(one.workTree, "tmp/orig-part"))).toBe(true);
  });
});
