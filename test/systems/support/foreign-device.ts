import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cachedRoot, debootstrap } from "../../system/support/base.ts";

const PACKAGES = ["nodejs", "init-system-helpers", "ca-certificates"];
const LIMIT_MS = 300_000;

/** Debian's name of an architecture → that of its entry in binfmt_misc, which has the kernel run its programs in QEMU. */
const BINFMT = { arm64: "qemu-aarch64", armhf: "qemu-arm" } as const;

export type Architecture = keyof typeof BINFMT;

/** The reason why programs of an architecture do not run here, if they do not. */
export function foreignFault(architecture: Architecture): string | undefined {
  return existsSync(`/proc/sys/fs/binfmt_misc/${BINFMT[architecture]}`)
    ? undefined
    : "needs apt-get install qemu-user-static, and its entries in binfmt_misc: mount it, and systemd-binfmt or update-binfmts";
}

/** Debian's packages unpacked, and none of their scripts run. */
function foreignRoot(architecture: Architecture): string {
  return cachedRoot(`foreign-${architecture}`, PACKAGES, (root) => {
    debootstrap(["--foreign", `--arch=${architecture}`, "--variant=minbase", `--include=${PACKAGES.join(",")}`], root);
    const archives = join(root, "var/cache/apt/archives");
    for (const name of readdirSync(archives).filter((file) => file.endsWith(".deb"))) {
      execFileSync("dpkg-deb", ["--extract", join(archives, name), root]);
    }
    rmSync(archives, { recursive: true });
    for (const name of ["passwd", "group"]) {
      execFileSync("cp", [join(root, `usr/share/base-passwd/${name}.master`), join(root, "etc", name)]);
    }
  });
}

export interface Ran {
  readonly code: number | null;
  readonly output: string;
  readonly seconds: number;
}

/** A Debian root of another architecture, whose programs run in QEMU's user mode; with this machine's network. */
export class ForeignDevice {
  readonly root: string;

  /** @param root Where its copy is made. */
  constructor(architecture: Architecture, root: string) {
    this.root = root;
    execFileSync("cp", ["-a", foreignRoot(architecture), root]);
  }

  /** Runs a shell command in it. */
  run(command: string): Ran {
    const began = performance.now();
    const script = 'mount -t proc proc "$1/proc"; mount --bind /dev "$1/dev"; exec chroot "$1" /bin/sh -c "$2"';
    const { status, stdout, stderr } = spawnSync(
      "unshare",
      ["--mount", "sh", "-ec", script, "sh", this.root, command],
      {
        encoding: "utf8",
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", HOME: "/root", DEBIAN_FRONTEND: "noninteractive" },
        timeout: LIMIT_MS,
      },
    );
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    return { code: status, output: stdout + stderr, seconds };
  }
}
