import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Chance } from "../fuzz/chance.ts";
import { type CaseRow, caseTable } from "../system/support/case-table.ts";
import { systemsFault } from "./support/asked.ts";
import { BootSetting, type Ended, SLOW_MS, type Update } from "./support/boot-setting.ts";

/** A state script that says where it is and waits there, for the power to be cut; once. */
function hold(place: string): string {
  return `#!/bin/sh
[ ! -e /data/held ] || exit 0
touch /data/held
sync /data/held
echo 'holding ${place}' >/dev/console
sleep 3600
`;
}

interface Case extends Update {
  readonly title: string;
  /** What the serial line shows when the power is to be cut. */
  readonly cutAt?: RegExp;
  /** What it shows on the way. */
  readonly shows?: readonly RegExp[];
  readonly ends: "success" | "failure";
  /** What the log has that the server gets. */
  readonly log?: RegExp;
  /** Starts of the machine: reboots, and power cuts. */
  readonly starts: number;
}

const GOES_BACK = /GRUB: the update was not committed; going back/;

const CASES: readonly Case[] = [
  { title: "a good update is committed", name: "good-1", ends: "success", starts: 1 },
  {
    title: "a kernel that panics: GRUB goes back",
    name: "panic",
    files: { "usr/sbin/init": ["#!/bin/sh\necho this init ends\nexit 1\n", 0o755] },
    shows: [/Kernel panic - not syncing: Attempted to kill init/, GOES_BACK],
    ends: "failure",
    log: /the boot loader went back/,
    starts: 2,
  },
  {
    title: "a root file system without a kernel: GRUB goes back",
    name: "kernelless",
    files: { vmlinuz: "" },
    shows: [/GRUB: partition \d cannot be booted/, GOES_BACK],
    ends: "failure",
    log: /the boot loader went back/,
    starts: 2,
  },
  {
    title: "a system that does not reach the server: the agent goes back",
    name: "offline",
    files: { "etc/systemd/network/wired.network": "[Match]\nName=e*\n[Link]\nUnmanaged=yes\n" },
    ends: "failure",
    log: /could not be reached for 120 s with the new software/,
    starts: 2,
  },
  {
    title: "an agent that does not run: the deadline reboots, GRUB goes back",
    name: "dead-agent",
    files: {
      "usr/bin/upkeep": ["#!/bin/sh\nexit 1\n", 0o755],
      "etc/systemd/system/upkeep-commit-deadline.timer.d/test.conf": "[Timer]\nOnBootSec=\nOnBootSec=90s\n",
    },
    shows: [/upkeep-commit-deadline\.service - Reboot out of an update/, GOES_BACK],
    ends: "failure",
    log: /the boot loader went back/,
    starts: 2,
  },
  {
    title: "a system that hangs: the hardware watchdog resets it, GRUB goes back",
    name: "hung",
    // A crashed systemd freezes, and feeds the watchdog no more.
    files: { "etc/systemd/system/upkeep.service.d/hang.conf": "[Service]\nExecStartPre=/bin/kill -SEGV 1\n" },
    shows: [/Freezing execution/, GOES_BACK],
    ends: "failure",
    log: /the boot loader went back/,
    starts: 2,
  },
  {
    title: "the power is cut while the image is written: the download goes on",
    name: "cut-write",
    cutAt: /\b[3-8]0% of/,
    ends: "success",
    starts: 2,
  },
  {
    title: "the power is cut after the activation, within ArtifactInstall: the agent goes back",
    name: "cut-install",
    scripts: { ArtifactInstall_Leave_00: hold("ArtifactInstall_Leave") },
    cutAt: /holding ArtifactInstall_Leave/,
    ends: "failure",
    starts: 2,
  },
  {
    title: "the power is cut before the reboot: the boot after it is the update's",
    name: "cut-reboot",
    scripts: { ArtifactReboot_Enter_00: hold("ArtifactReboot_Enter") },
    cutAt: /holding ArtifactReboot_Enter/,
    ends: "success",
    starts: 1,
  },
  {
    title: "the power is cut between reboot and commit: GRUB goes back",
    name: "cut-commit",
    scripts: { ArtifactCommit_Enter_00: hold("ArtifactCommit_Enter") },
    cutAt: /holding ArtifactCommit_Enter/,
    shows: [GOES_BACK],
    ends: "failure",
    starts: 2,
  },
  {
    title: "the power is cut right after the commit: the update stays",
    name: "cut-committed",
    scripts: { ArtifactCommit_Leave_00: hold("ArtifactCommit_Leave") },
    cutAt: /holding ArtifactCommit_Leave/,
    ends: "success",
    starts: 2,
  },
];

const TOOLS = {
  debootstrap: "debootstrap",
  unshare: "util-linux",
  mke2fs: "e2fsprogs",
  sfdisk: "fdisk",
  "grub-mkimage": "grub-common",
  "qemu-system-x86_64": "qemu-system-x86",
};
const fault = systemsFault(TOOLS);
const describeBoot = fault === undefined ? describe : describe.skip;
const SEED = Number(process.env.UPKEEP_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** The cases of one device run in this order: each leaves it on a system that works, for the next. */
describeBoot(
  `a device in QEMU that boots by GRUB (${fault ?? `UPKEEP_TEST_SEED=${SEED}`})`,
  { timeout: SLOW_MS },
  () => {
    const out = process.env.UPKEEP_TEST_OUT;
    const rows: CaseRow[] = [];
    let setting: BootSetting;

    beforeAll(async () => {
      const chance = new Chance(String(SEED));
      setting = await BootSetting.start(() => chance.bits() / 2 ** 32);
    }, SLOW_MS);

    afterAll(async () => {
      console.log(caseTable(rows));
      keep("serial.log", setting?.device.serial ?? "");
      await setting?.stop();
    }, SLOW_MS);

    /** Writes a file for a person to read, if UPKEEP_TEST_OUT names a directory. */
    function keep(name: string, text: string): void {
      if (out === undefined) return;
      mkdirSync(out, { recursive: true });
      writeFileSync(join(out, name), text);
    }

    /** Runs a case, and checks that device, boot loader and server agree afterwards. */
    async function run(update: Case): Promise<void> {
      const { device } = setting;
      const before = await setting.running();
      await device.run("rm -f /data/held");
      const [begin, starts, from] = [performance.now(), device.starts, device.serial.length];
      const deployment = await setting.deploy(update);
      let lost = "";
      if (update.cutAt !== undefined) {
        await device.untilSerial(update.cutAt, from, SLOW_MS);
        const { unflushed, kept } = await device.cut();
        lost = `; the cut found ${unflushed} unflushed writes and kept ${kept}`;
        device.on();
      }
      const ended: Ended = await setting.ended(deployment);
      const running = await setting.running();
      const environment = await setting.environment();
      const serial = device.serial.slice(from);
      keep(`${update.name}.serial.log`, serial);
      if (ended.log !== "") keep(`${update.name}.deployment.log`, ended.log);
      rows.push({
        title: update.title,
        boots: device.starts - starts,
        seconds: Math.round((performance.now() - begin) / 1000),
        outcome: `${ended.status}, ${running} runs${lost}`,
      });
      expect(ended.status, ended.log).toBe(update.ends);
      expect(running).toBe(update.ends === "success" ? update.name : before);
      expect(environment).toContain("upgrade_available=0");
      expect(environment).toContain(
        `mender_boot_part=${await device.run("sed 's/.*vda\\([23]\\).*/\\1/' /proc/cmdline")}\n`,
      );
      expect(await device.run("upkeep show-artifact")).toBe(
        update.ends === "success" ? update.name : before.replace("first", "unknown"),
      );
      for (const pattern of update.shows ?? []) expect(serial).toMatch(pattern);
      if (update.log !== undefined) expect(ended.log).toMatch(update.log);
      expect(device.starts - starts).toBe(update.starts);
    }

    for (const update of CASES) it(update.title, () => run(update));

    it("the data partition is full: the update fails before its download, and the server sees why", async () => {
      await setting.device.run("dd if=/dev/zero of=/data/fill bs=64k; sync /data/fill", SLOW_MS);
      const log = /ENOSPC|no room for an update/;
      await run({ title: "the data partition is full", name: "full", ends: "failure", log, starts: 0 });
      await setting.device.run("rm /data/fill; sync -f /data");
    });

    it("after all that the next good update is installed", () =>
      run({ title: "the next good update", name: "good-2", ends: "success", starts: 1 }));
  },
);
