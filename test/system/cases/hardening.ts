import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { arch } from "node:process";
import { describe, expect, it } from "vitest";
import type { Subject } from "./interruptions.ts";

/** Exposure by `systemd-analyze security`, from 0 (closed) to 10, that must not be exceeded. */
const EXPOSURE_MAX = 9.1;

const PTRACE = { x64: 101, arm64: 117 }[arch as string];

/** What updates do: a command as a payload of the type script runs it, and how it is seen from outside of the service. */
const PERMITTED: Readonly<Record<string, readonly [inside: string, outside: string]>> = {
  "mounts for the whole system": ["mount -t tmpfs -o size=1m tmpfs /mnt", "findmnt /mnt; umount /mnt"],
  "makes device nodes": ["mknod /root/node c 1 3", "[ -c /root/node ]"],
  "installs setuid programs": ["cp /bin/true /root/suid && chmod 4755 /root/suid", "[ -u /root/suid ]"],
  "makes namespaces, as containers do": ["unshare --mount --pid --fork --uts true", "true"],
  "changes owners, and runs as another user": [
    "touch /root/owned && chown 1000 /root/owned && setpriv --reuid 1000 true",
    "true",
  ],
  "installs packages": ["dpkg --install /root/extra.deb", "dpkg-query --status extra"],
  "steers other services": ["systemctl daemon-reload && systemctl restart systemd-journald", "true"],
};

/** What no update needs: it fails, though root may do it outside. */
const REFUSED: Readonly<Record<string, string>> = {
  "change the execution domain": "setarch --addr-no-randomize true",
  "schedule in real time": "chrt --fifo 1 true",
  "trace processes": `perl -e 'exit(syscall(${PTRACE ?? 0}, 0, 0, 0, 0) == 0 ? 0 : 1)'`,
};

const COMMANDS: readonly string[] = [...Object.values(PERMITTED).map(([inside]) => inside), ...Object.values(REFUSED)];

/** Keeps each command's exit code in /root/outcomes, a line each. */
const SCRIPT = [
  "#!/bin/sh",
  "rm -f /root/outcomes",
  ...COMMANDS.map((command) => `(${command}) >&2; echo $? >>/root/outcomes`),
];

/** A package with nothing in it. */
function emptyPackage(folder: string): string {
  const tree = join(folder, "extra");
  mkdirSync(join(tree, "DEBIAN"), { recursive: true });
  const about =
    "Package: extra\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\nDescription: empty\n";
  writeFileSync(join(tree, "DEBIAN/control"), about);
  execFileSync("dpkg-deb", ["--root-owner-group", "--build", tree, `${tree}.deb`], { stdio: "pipe" });
  return `${tree}.deb`;
}

/** The service's restrictions are in force, and update modules do their work within them. */
export function itIsHardened(subject: () => Subject): void {
  describe("the unit's restrictions", () => {
    const outcomes = new Map<string, string>();

    it("leave an exposure that 'systemd-analyze security' tells", () => {
      const answer = subject().device.output("systemd-analyze security --no-pager upkeep.service | tail -1");
      console.log(answer);
      const [, exposure] = /level for upkeep\.service: ([\d.]+)/.exec(answer) ?? [];
      expect(Number(exposure)).toBeLessThanOrEqual(EXPOSURE_MAX);
    });

    it("let an update end in success", async () => {
      const { setting, device, id } = subject();
      device.copy(emptyPackage(setting.folder), "/root/extra.deb");
      const file = { name: "work.sh", content: Buffer.from(`${SCRIPT.join("\n")}\n`) };
      const deployment = await setting.deploy("script", "work-1", file, id);
      const [result] = await setting.server.management.finished(deployment, () => device.journal());
      expect(result?.status, device.journal()).toBe("success");
      const codes = device.output("cat /root/outcomes").split("\n");
      for (const [index, command] of COMMANDS.entries()) outcomes.set(command, codes[index] ?? "");
    });

    for (const [what, [inside, outside]] of Object.entries(PERMITTED)) {
      it(`let it: ${what}`, () => {
        const { device } = subject();
        expect(outcomes.get(inside), device.journal()).toBe("0");
        device.output(outside);
      });
    }

    for (const [what, command] of Object.entries(REFUSED)) {
      it(`do not let it ${what}`, () => {
        expect(subject().device.run(command).code).toBe(0);
        expect(outcomes.get(command)).not.toBe("0");
      });
    }
  });
}
