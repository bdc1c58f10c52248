import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describePeer, type PeerName } from "../interop/peers.ts";

/** What a device with two root file systems needs; `npm run test:systems` boots it. */
const DEVICE = join(import.meta.dirname, "../../systemd/device");

const CHECKS: Readonly<Record<string, readonly [program: PeerName, ...args: string[]]>> = {
  "make-disk": ["shellcheck"],
  "grub.cfg": ["grub-script-check"],
  "upkeep-commit-deadline.timer": ["systemd-analyze", "verify"],
};

for (const [file, [program, ...args]] of Object.entries(CHECKS)) {
  describePeer([program], `${file}, read by ${program}`, () => {
    it("has nothing that it warns of", () => {
      const { status, stdout, stderr } = spawnSync(program, [...args, file], { cwd: DEVICE, encoding: "utf8" });
      expect(status, stdout + stderr).toBe(0);
    });
  });
}
