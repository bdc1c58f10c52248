import type { BootVariables } from "../../../../agent/modules/rootfs-image/variables.ts";

/** How often an update on probation may be booted before the boot loader goes back. */
const BOOT_LIMIT = 1;

export interface Booted {
  readonly variables: BootVariables;
  /** The partition whose root file system runs. */
  readonly running: number;
}

/**
 * What the boot loader's scripts do from power on until a root file system runs.
 * @param isGood Whether a partition holds something that boots.
 */
export function bootOnce(
  variables: BootVariables,
  [a, b]: readonly [number, number],
  isGood: (part: number) => boolean,
): Booted {
  let now = variables;
  for (let power = 0; power < 5; power += 1) {
    if (now.upgrade_available === "1") {
      const bootcount = Number(now.bootcount ?? 0) + 1;
      now = { ...now, bootcount: String(bootcount) };
      if (bootcount > BOOT_LIMIT) {
        const back = Number(now.mender_boot_part) === a ? b : a;
        now = {
          ...now,
          mender_boot_part: String(back),
          mender_boot_part_hex: back.toString(16),
          upgrade_available: "0",
          bootcount: "0",
        };
      }
    }
    const part = Number(now.mender_boot_part);
    if (isGood(part)) return { variables: now, running: part };
  }
  throw new Error(`nothing boots: ${JSON.stringify(now)}`);
}
