import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What Debian 13 has on a small device, and what its tests ask it with. */
const SUITE = "trixie";
const PACKAGES = "systemd systemd-sysv dbus nodejs init-system-helpers ca-certificates iproute2 procps curl".split(" ");
/** Of no use to a container, and slow to start in one. */
const MASKED = ["systemd-logind.service", "systemd-networkd-wait-online.service"];
const MIRROR = "http://deb.debian.org/debian";
const TOOLS = { debootstrap: "debootstrap", "systemd-nspawn": "systemd-container", unshare: "util-linux" };

/** The reason why this machine cannot boot a system with these tools (and the packages that have them), if it cannot. */
export function systemFault(tools: Readonly<Record<string, string>> = TOOLS): string | undefined {
  const missing = Object.entries(tools).filter(([tool]) => spawnSync("which", [tool]).status !== 0);
  if (missing.length > 0) return `needs apt-get install ${missing.map(([, name]) => name).join(" ")}`;
  const script = "d=$(mktemp -d); mount -t tmpfs tmpfs $d && umount $d; rmdir $d";
  const { status, stderr } = spawnSync("unshare", ["--mount", "sh", "-c", script], { encoding: "utf8" });
  return status === 0 ? undefined : `mounting is not permitted: ${stderr.trim()}`;
}

/** The mirror of Debian that apt uses on this machine. */
export function mirror(): string {
  const { stdout } = spawnSync("apt-get", ["indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(REPO_URI)"], {
    encoding: "utf8",
  });
  const [, uri = MIRROR] = /^Debian main (https?:\S+\/debian)\/?$/m.exec(stdout) ?? [];
  return uri;
}

/** A root of Debian: its packages, and a shell script that finishes it, whose first argument is the root. */
export interface RootPlan {
  readonly packages: readonly string[];
  readonly finish: string;
}

/** What is booted in a container. @param more Packages beside those of every device. */
export const containerPlan = (more: readonly string[] = []): RootPlan => ({
  packages: [...PACKAGES, ...more],
  finish: MASKED.map((unit) => `ln -s /dev/null "$1/etc/systemd/system/${unit}"`).join("\n"),
});

/**
 * A root of Debian, made once on a machine and never changed: systems under test are overlays over it. Takes a minute or
 * two the first time.
 */
export function debianBase({ packages, finish }: RootPlan = containerPlan()): string {
  return cachedRoot("system", [...packages, finish], (root) => {
    debootstrap(["--variant=minbase", `--include=${packages.join(",")}`], root);
    execFileSync("sh", ["-ec", finish, "sh", root], { stdio: ["ignore", "ignore", "inherit"] });
    rmSync(join(root, "var/cache/apt/archives"), { recursive: true, force: true });
  });
}

/** Puts Debian into a directory. @throws Error with the end of what debootstrap says. */
export function debootstrap(options: readonly string[], root: string): void {
  const { status, stdout } = spawnSync("debootstrap", [...options, SUITE, root, mirror()], {
    encoding: "utf8",
    maxBuffer: 16 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`debootstrap failed:\n${stdout.split("\n").slice(-20).join("\n")}`);
}

/**
 * A directory that is made once on a machine.
 * @param parts All that decides what is in it.
 * @param make Fills the directory, which does not exist yet.
 */
export function cachedRoot(name: string, parts: readonly string[], make: (root: string) => void): string {
  const key = createHash("sha256")
    .update([SUITE, ...parts].join(" "))
    .digest("hex")
    .slice(0, 12);
  const base = join(process.env.UPKEEP_SYSTEM_CACHE ?? tmpdir(), `upkeep-${name}-${SUITE}-${key}`);
  if (existsSync(base)) return base;
  mkdirSync(join(base, ".."), { recursive: true });
  const lock = openSync(`${base}.lock`, "w");
  try {
    execFileSync("flock", ["3"], { stdio: ["ignore", "ignore", "inherit", lock] });
    if (existsSync(base)) return base;
    const unfinished = `${base}.new`;
    rmSync(unfinished, { recursive: true, force: true });
    make(unfinished);
    renameSync(unfinished, base);
    return base;
  } finally {
    closeSync(lock);
  }
}
