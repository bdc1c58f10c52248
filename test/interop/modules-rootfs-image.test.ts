import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { AbDevice, image, loopDevicesWork } from "../agent/modules/rootfs-image/device.ts";
import { createAgentRoot, runUpkeep } from "../support/agent.ts";
import { describePeer } from "./peers.ts";

const MODULE = join(import.meta.dirname, "../../agent/modules/shipped/rootfs-image");
const UPKEEP = join(import.meta.dirname, "../../agent/bin/upkeep.cjs");
const DEVICE_TYPE = "interop-board";
const OLD = 2;
const NEW = 3;

/** Set a variable for this test and all that it starts. */
function setEnvironment(name: string, value: string): void {
  const before = process.env[name];
  process.env[name] = value;
  onTestFinished(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
}

/** A device with two root file systems that our agent and our module keep up to date. */
function device(tools: "fw_setenv" | "grub-editenv"): AbDevice {
  const one = new AbDevice(tools, {}, loopDevicesWork());
  createAgentRoot(one.root, {
    serverUrl: "http://127.0.0.1:9",
    deviceType: DEVICE_TYPE,
    identity: { mac: "02:00:5e:00:53:04" },
    config: { RootfsPartA: "/dev/sda2", RootfsPartB: "/dev/sda3" },
  });
  cpSync(MODULE, join(one.root, "usr/share/mender/modules/v3/rootfs-image"));
  setEnvironment("UPKEEP", UPKEEP);
  setEnvironment("PATH", `${join(one.root, "bin")}${delimiter}${process.env.PATH}`);
  return one;
}

function artifact(one: AbDevice, name: string, content: Buffer): string {
  const [file, path] = [join(one.root, `${name}.ext4`), join(one.root, `${name}.mender`)];
  writeFileSync(file, content);
  const flags = ["-t", DEVICE_TYPE, "-n", name, "-f", file, "-o", path];
  execFileSync("mender-artifact", ["write", "rootfs-image", ...flags], { stdio: "pipe" });
  return path;
}

function fails(one: AbDevice, ...words: string[]): string {
  const result = spawnSync(process.execPath, [UPKEEP, "--root", one.root, ...words], { encoding: "utf8" });
  expect(result.status, result.stdout + result.stderr).not.toBe(0);
  return result.stdout + result.stderr;
}

describePeer(["mender-artifact"], "a rootfs-image artifact of mender-artifact, under our agent", () => {
  describe.each(["fw_setenv", "grub-editenv"] as const)("with %s", (tools) => {
    test("a good image is installed, booted and committed", () => {
      const one = device(tools);
      const content = image(true, 7);
      runUpkeep(one.root, ["install", artifact(one, "system-2", content)]);
      expect(one.content(NEW).equals(content)).toBe(true);
      expect(one.variables()).toMatchObject({ mender_boot_part: "3", upgrade_available: "1" });
      expect(one.reboot()).toBe(NEW);
      runUpkeep(one.root, ["commit"]);
      expect(one.variables()).toMatchObject({ mender_boot_part: "3", upgrade_available: "0" });
      expect(runUpkeep(one.root, ["show-provides"])).toContain("rootfs-image.version=system-2");
      expect(one.reboot()).toBe(NEW);
    });

    test("an image that does not boot cannot be committed", () => {
      const one = device(tools);
      runUpkeep(one.root, ["install", artifact(one, "system-3", image(false, 8))]);
      expect(one.reboot()).toBe(OLD);
      expect(fails(one, "commit")).toContain("rootfs-image");
      expect(one.reboot()).toBe(OLD);
      expect(one.variables()).toMatchObject({ mender_boot_part: "2", upgrade_available: "0" });
      expect(runUpkeep(one.root, ["show-artifact"])).toBe("unknown\n");
    });

    test("a good image is taken back by hand", () => {
      const one = device(tools);
      runUpkeep(one.root, ["install", artifact(one, "system-4", image(true, 9))]);
      expect(one.reboot()).toBe(NEW);
      runUpkeep(one.root, ["rollback"]);
      expect(one.reboot()).toBe(OLD);
      expect(runUpkeep(one.root, ["show-artifact"])).toBe("unknown\n");
    });
  });
});

/** The real client on the same device. Its own rootfs-image is built in, so that ours goes by another name there. */
function menderClient(one: AbDevice) {
  const [etc, share, data] = ["etc/mender", "usr/share/mender", "client"].map((path) => join(one.root, path));
  if (etc === undefined || share === undefined || data === undefined) throw new Error("unreachable");
  cpSync(MODULE, join(share, "modules/v3/ab-image"));
  mkdirSync(data);
  writeFileSync(join(data, "device_type"), `device_type=${DEVICE_TYPE}\n`);
  writeFileSync(join(etc, "artifact_info"), "artifact_name=factory\n");
  setEnvironment("UPKEEP_ROOT", one.root);
  const script = [
    'mount --bind "$1" /etc/mender && mount --bind "$2" /usr/share/mender || exit 99',
    'datastore=$3; shift 3; exec mender --config /etc/mender/mender.conf --data "$datastore" --no-syslog "$@"',
  ].join("\n");
  return (...words: string[]) => {
    const args = ["--mount", "sh", "-c", script, "sh", etc, share, data, ...words];
    const { status, stdout, stderr } = spawnSync("unshare", args, { encoding: "utf8" });
    return { status, stdout, output: stdout + stderr };
  };
}

function moduleImage(one: AbDevice, name: string, content: Buffer): string {
  const [file, path] = [join(one.root, `${name}.ext4`), join(one.root, `${name}.mender`)];
  writeFileSync(file, content);
  const flags = ["-T", "ab-image", "-t", DEVICE_TYPE, "-n", name, "-f", file, "-o", path];
  execFileSync("mender-artifact", ["write", "module-image", ...flags], { stdio: "pipe" });
  return path;
}

describePeer(["mender", "mender-artifact"], "our update module rootfs-image, under the real client", () => {
  describe.each(["fw_setenv", "grub-editenv"] as const)("with %s", (tools) => {
    test("a good image is installed, booted and committed", () => {
      const one = device(tools);
      const mender = menderClient(one);
      const content = image(true, 7);
      const installed = mender("install", moduleImage(one, "system-2", content));
      expect(installed).toMatchObject({ status: 0, output: expect.stringContaining("there already") });
      expect(one.content(NEW).equals(content)).toBe(true);
      expect(one.variables()).toMatchObject({ mender_boot_part: "3", upgrade_available: "1" });
      expect(one.reboot()).toBe(NEW);
      expect(mender("commit")).toMatchObject({ status: 0 });
      expect(one.variables()).toMatchObject({ mender_boot_part: "3", upgrade_available: "0" });
      expect(mender("show-artifact").stdout.trim()).toBe("system-2");
    });

    test("an image that does not boot cannot be committed", () => {
      const one = device(tools);
      const mender = menderClient(one);
      expect(mender("install", moduleImage(one, "system-3", image(false, 8)))).toMatchObject({ status: 0 });
      expect(one.reboot()).toBe(OLD);
      expect(mender("commit").status).not.toBe(0);
      expect(one.reboot()).toBe(OLD);
      expect(one.variables()).toMatchObject({ mender_boot_part: "2", upgrade_available: "0" });
    });

    test("a good image is taken back by hand", () => {
      const one = device(tools);
      const mender = menderClient(one);
      expect(mender("install", moduleImage(one, "system-4", image(true, 9)))).toMatchObject({ status: 0 });
      expect(one.reboot()).toBe(NEW);
      expect(mender("rollback")).toMatchObject({ status: 0 });
      expect(one.reboot()).toBe(OLD);
      expect(mender("show-artifact").stdout.trim()).toBe("factory");
    });
  });
});
