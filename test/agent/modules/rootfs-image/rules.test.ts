import { describe, expect, it } from "vitest";
import {
  commit,
  download,
  install,
  needsReboot,
  partToGoBackTo,
  partToRemember,
  rollback,
  type Situation,
  verifyReboot,
  verifyRollbackReboot,
} from "../../../../agent/modules/rootfs-image/rules.ts";
import { type BootVariables, parseVariables } from "../../../../agent/modules/rootfs-image/variables.ts";
import { bootOnce } from "./boot-loader.ts";

const PARTS = [2, 3] as const;

function situation(variables: BootVariables, mountedRoot?: number, original?: number): Situation {
  return { partitions: [2, 3], variables, mountedRoot, original };
}

const calm = { mender_boot_part: "2", upgrade_available: "0" };
const onProbation = { mender_boot_part: "3", mender_boot_part_hex: "3", upgrade_available: "1", bootcount: "1" };

describe("the rules of the boot loader's environment", () => {
  it("write to the partition that does not run", () => {
    expect(download(situation(calm, 2))).toBe(3);
    expect(download(situation({ ...calm, mender_boot_part: "3" }, 3))).toBe(2);
    // A boot loader that never heard of an update has no variable for it.
    expect(download(situation({ mender_boot_part: "2" }, 2))).toBe(3);
  });

  it("write nothing while an earlier update is on probation", () => {
    expect(() => download(situation(onProbation, 3))).toThrow("upgrade_available is 1");
    expect(() => install(situation(onProbation, 3))).toThrow("upgrade_available is 1");
  });

  it("demand that what runs is what the boot loader boots", () => {
    for (const rule of [download, partToRemember, install, verifyReboot, commit, verifyRollbackReboot]) {
      const variables = { ...onProbation, upgrade_available: "0" };
      expect(() => rule(situation(variables, 2))).toThrow(
        "active partition is 3, but the mounted root file system is p",
      );
      expect(() => rule(situation(variables, undefined))).toThrow("is neither of the two");
    }
  });

  it("demand the canary where the build asks for it", () => {
    const wanted = { ...calm, mender_check_saveenv_canary: "1" };
    for (const rule of [download, partToRemember, install, verifyReboot, commit, verifyRollbackReboot]) {
      expect(() => rule(situation(wanted, 2))).toThrow("mender_saveenv_canary is");
      expect(() => rule(situation({ ...wanted, mender_saveenv_canary: "0" }, 2))).toThrow("mender_saveenv_canary is");
    }
    expect(download(situation({ ...wanted, mender_saveenv_canary: "1" }, 2))).toBe(3);
    expect(download(situation({ ...calm, mender_check_saveenv_canary: "0" }, 2))).toBe(3);
  });

  it("name the variable and the value that make no sense", () => {
    expect(() => download(situation({ ...calm, mender_boot_part: "7" }, 2))).toThrow(
      'mender_boot_part is "7", but the root file systems are in partitions 2 and 3',
    );
    expect(() => download(situation({}, 2))).toThrow('mender_boot_part is ""');
    expect(() => download(situation({ ...calm, mender_boot_part: "0x2" }, 2))).toThrow('is "0x2"');
    expect(() => download(situation({ ...calm, upgrade_available: "yes" }, 2))).toThrow('upgrade_available is "yes"');
  });

  it("put the new partition on probation, its number in both notations, the switch last", () => {
    expect(Object.entries(install(situation(calm, 2)))).toEqual([
      ["mender_boot_part", "3"],
      ["mender_boot_part_hex", "3"],
      ["bootcount", "0"],
      ["upgrade_available", "1"],
    ]);
    const many: Situation = { ...situation({ mender_boot_part: "9" }, 9), partitions: [9, 26] };
    expect(install(many)).toMatchObject({ mender_boot_part: "26", mender_boot_part_hex: "1a" });
  });

  it("accept the new root file system only on probation", () => {
    verifyReboot(situation(onProbation, 3, 2));
    expect(commit(situation(onProbation, 3, 2))).toEqual({ upgrade_available: "0" });
    // The boot loader went back by itself.
    for (const rule of [verifyReboot, commit]) {
      expect(() => rule(situation(calm, 2, 2))).toThrow("went back to partition 2");
    }
  });

  it("tell a new root file system that runs without its probation from one that did not boot", () => {
    const lost = { ...onProbation, upgrade_available: "0" };
    expect(() => verifyReboot(situation(lost, 3, 2))).toThrow("partition 3 was booted, as it should be");
  });

  it("need a reboot on probation, and while another partition runs than is to boot", () => {
    expect(needsReboot(situation(onProbation, 2, 2))).toBe(true);
    expect(needsReboot(situation(onProbation, 3, 2))).toBe(true);
    expect(needsReboot(situation(calm, 3, 2))).toBe(true);
    // The boot loader went back, or the new one was never booted.
    expect(needsReboot(situation(calm, 2, 2))).toBe(false);
  });

  it("go back to the remembered partition, whatever the environment says", () => {
    const back = { mender_boot_part: "2", mender_boot_part_hex: "2", upgrade_available: "0" };
    expect(rollback(onProbation, 2)).toEqual(back);
    expect(rollback({ ...onProbation, upgrade_available: "0" }, 2)).toEqual(back);
    expect(rollback({}, 2)).toEqual(back);
    expect(rollback({ ...back, bootcount: "0" }, 2)).toEqual({});
  });

  it("go by the environment alone where no partition was remembered", () => {
    expect(partToGoBackTo(situation(onProbation))).toBe(2);
    expect(partToGoBackTo(situation(calm))).toBeUndefined();
  });

  it("call a rollback done only when the partition from before the update runs", () => {
    verifyRollbackReboot(situation(calm, 2, 2));
    verifyRollbackReboot(situation(calm, 2));
    expect(() => verifyRollbackReboot(situation(onProbation, 3, 2))).toThrow("still 1");
    const committed = { ...onProbation, upgrade_available: "0" };
    expect(() => verifyRollbackReboot(situation(committed, 3, 2))).toThrow("before the update it was partition 2");
  });

  it("come back from a power cut between any two variables, with tools that set one at a time", () => {
    const changes = Object.entries(install(situation(calm, 2)));
    for (let set = 0; set <= changes.length; set += 1) {
      const cut = { ...calm, ...Object.fromEntries(changes.slice(0, set)) };
      const booted = bootOnce(cut, PARTS, () => true);
      const back = Object.entries(rollback(booted.variables, 2));
      // The rollback is cut as well, and done again after the next boot.
      for (let undone = 0; undone <= back.length; undone += 1) {
        const again = bootOnce(
          { ...booted.variables, ...Object.fromEntries(back.slice(0, undone)) },
          PARTS,
          () => true,
        );
        const last = bootOnce({ ...again.variables, ...rollback(again.variables, 2) }, PARTS, () => true);
        expect(last.running).toBe(2);
        verifyRollbackReboot(situation(last.variables, last.running, 2));
      }
    }
  });
});

describe("the list of variables", () => {
  it("is read line by line, values as they are", () => {
    expect(parseVariables("a=1\nbootcmd=run x; test a = b\nempty=\nno variable\n=x\nwindows=1\r\n")).toEqual({
      a: "1",
      bootcmd: "run x; test a = b",
      empty: "",
      windows: "1",
    });
  });
});
