import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { collectInventory } from "../../agent/device/inventory.ts";
import { linuxSystem } from "../../agent/system/index.ts";
import { KeptLog } from "../agent/support-server/log.ts";
import { temporaryDirectory } from "../agent/system/directory.ts";
import { describePeer } from "../interop/peers.ts";

const PROGRAMS = join(import.meta.dirname, "../../systemd/debian/inventory");
const NAMES = readdirSync(PROGRAMS).sort();
const directory = temporaryDirectory();
let count = 0;

/** A machine's files below a directory of their own. */
function machine(files: Readonly<Record<string, string>>): string {
  const root = join(directory, String(++count));
  mkdirSync(root, { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content, { mode: 0o755 });
  }
  return root;
}

/** The lines of a program of the package on that machine. */
function linesOf(program: string, root: string, environment: Readonly<Record<string, string>> = {}): string[] {
  const { status, stdout, stderr } = spawnSync("sh", [join(PROGRAMS, `mender-inventory-${program}`)], {
    encoding: "utf8",
    env: { PATH: process.env.PATH, UPKEEP_INVENTORY_ROOT: root, ...environment },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout === "" ? [] : stdout.trimEnd().split("\n");
}

const PROC = {
  "proc/cpuinfo": "processor\t: 0\nmodel name\t: Fast = 3\nmodel name\t: Fast = 3\n",
  "proc/version": "Linux version 6.1\n",
  "proc/meminfo": "MemTotal:         512000 kB\nMemFree:  1 kB\n",
  "proc/sys/kernel/hostname": "pump\n",
};

describe("the inventory programs of the package", () => {
  it("run on this machine, and give the agent attributes that servers take", async () => {
    const log = new KeptLog();
    const options = { directories: [PROGRAMS], version: "1", known: {}, log };
    const attributes = await collectInventory(linuxSystem(), options);
    const names = attributes.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(["hostname", "kernel", "mem_total_kB", "os", "mender_bootloader_integration"]),
    );
    expect(log.lines).toEqual([]);
  });

  it("tell of the host", () => {
    expect(linesOf("hostinfo", machine(PROC))).toEqual([
      "cpu_model=Fast = 3",
      "kernel=Linux version 6.1",
      "mem_total_kB=512000",
      "hostname=pump",
    ]);
    const board = { ...PROC, "proc/cpuinfo": "processor: 0\n", "proc/device-tree/model": "Board\nof=2\0" };
    expect(linesOf("hostinfo", machine(board))[0]).toBe("cpu_model=Board of=2");
  });

  it("tell of the network, whatever interfaces are called", () => {
    const root = machine({
      "sys/class/net/lo/address": "00:00:00:00:00:00\n",
      "sys/class/net/docker0/address": "02:42:00:00:00:01\n",
      "sys/class/net/nic=1/address": "02:00:00:00:00:01\n",
      "sys/class/net/tun0/operstate": "down\n",
      // Answers as the real one does with -o.
      "bin/ip": `#!/bin/sh
[ "$*" = "-o addr show dev nic=1" ] || exit 1
echo '2: nic=1    inet 10.0.0.1/24 brd 10.0.0.255 scope global nic=1\\\\       valid_lft forever'
echo '2: nic=1    inet 10.0.0.2/24 scope global nic=1'
echo '2: nic=1    inet6 fd00::1/64 scope global'
`,
    });
    expect(linesOf("network", root, { PATH: `${root}/bin:${process.env.PATH}` })).toEqual([
      ...["network_interfaces=nic=1", "mac_nic_1=02:00:00:00:00:01"],
      ...["ipv4_nic_1=10.0.0.1/24", "ipv4_nic_1=10.0.0.2/24", "ipv6_nic_1=fd00::1/64"],
      "network_interfaces=tun0",
    ]);
  });

  it.each([
    ['NAME="Other"\nPRETTY_NAME="My OS = 1 \\"a\\""\n', 'os=My OS = 1 "a"'],
    ["NAME=Plain\nVERSION='2'\n", "os=Plain 2"],
    ['PRETTY_NAME="$(touch pwned)`id`"\r\n', "os=$(touch pwned)`id`"],
    ["ID=x\n", "os=unknown"],
  ])("tell of the operating system, and run nothing of %j", (release, line) => {
    const root = machine({ "etc/os-release": release });
    expect(linesOf("os", root)).toEqual([line]);
    expect(readdirSync(root)).toEqual(["etc"]);
  });

  it("tell of the update modules, each once", () => {
    const root = machine({
      "usr/share/mender/modules/v3/docker": "",
      "usr/share/mender/modules/v3/two\nlines=1": "",
      "usr/share/upkeep/modules/v3/docker": "",
      "usr/share/upkeep/modules/v3/deb": "",
    });
    expect(linesOf("update-modules", root)).toEqual([
      "update_modules=deb",
      "update_modules=docker",
      "update_modules=two_lines=1",
    ]);
    expect(linesOf("update-modules", machine({}))).toEqual([]);
  });

  it.each([
    ["boot/efi/EFI/BOOT/mender_grubenv1/env", "x86_64", "uefi_grub"],
    ["boot/efi/EFI/BOOT/mender_grubenv1/env", "aarch64", "uboot_uefi_grub"],
    ["boot/efi/EFI/BOOT/mender_grubenv1/env", "riscv64", "unknown_uefi_grub"],
    ["boot/grub/mender_grubenv1/env", "i686", "bios_grub"],
    ["boot/grub/mender_grubenv1/env", "mips", "unknown_grub"],
    ["etc/fw_env.config", "armv7l", "uboot"],
    ["etc/fstab", "x86_64", "unknown"],
  ])("tell of the boot loader: %s on %s is %s", (file, UPKEEP_INVENTORY_MACHINE, kind) => {
    const lines = linesOf("bootloader-integration", machine({ [file]: "" }), { UPKEEP_INVENTORY_MACHINE });
    expect(lines).toEqual([`mender_bootloader_integration=${kind}`]);
  });

  it("give way to the device's own of the same name, also to one that is switched off", async () => {
    const script = (text: string) => `#!/bin/sh\necho ${text}\n`;
    const root = machine({
      "own/mender-inventory-b": script("b=own"),
      "own/mender-inventory-d": script("d=own"),
      "package/mender-inventory-a": script("a=package"),
      "package/mender-inventory-b": script("b=package"),
      "package/mender-inventory-c": script("c=package"),
    });
    writeFileSync(join(root, "own/mender-inventory-c"), "", { mode: 0o644 });
    const directories = [join(root, "own"), join(root, "package")];
    const options = { directories, version: "1", known: {}, log: new KeptLog() };
    const attributes = await collectInventory(linuxSystem(), options);
    expect(attributes.filter(({ name }) => name.length === 1)).toEqual([
      { name: "a", value: "package" },
      { name: "b", value: "own" },
      { name: "d", value: "own" },
    ]);
  });
});

describePeer(["shellcheck"], "the inventory programs of the package", () => {
  it.each(NAMES)("%s is clean to shellcheck", (name) => {
    const { status, stdout } = spawnSync("shellcheck", ["--shell=sh", join(PROGRAMS, name)], { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  });
});
