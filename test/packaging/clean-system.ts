import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

export interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

/** Mounts an overlay over this machine's root, and stays: what is mounted goes when it ends. */
const SETUP = `
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/run"
mount -t tmpfs tmpfs "$1/root/tmp"
mkdir "$1/root/tmp/packages"
# Each package with a page of the manual would have the index of all pages made anew.
rm -f "$1/root/var/lib/man-db/auto-update"
echo ready
exec sleep infinity
`;

/**
 * This machine as a package manager sees it, with its real dpkg and its real database; but whatever is written
 * there is written to memory, and gone afterwards. No systemd runs in it.
 */
export class CleanSystem {
  readonly #child: ChildProcess;
  readonly #root: string;

  private constructor(child: ChildProcess, root: string) {
    this.#child = child;
    this.#root = root;
  }

  /** The reason why this machine cannot do that, if it cannot. */
  static fault(): string | undefined {
    const { status, stderr, error } = spawnSync(
      "unshare",
      ["--mount", "sh", "-c", "d=$(mktemp -d); trap 'rmdir $d' EXIT; mount -t tmpfs tmpfs $d && umount $d"],
      { encoding: "utf8" },
    );
    if (error !== undefined) return error.message;
    return status === 0 ? undefined : `mounting is not permitted: ${stderr.trim()}`;
  }

  static async start(directory: string): Promise<CleanSystem> {
    mkdirSync(directory);
    const child = spawn("unshare", ["--mount", "sh", "-c", SETUP, "sh", directory], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "exit").then(() => {
      throw new Error("the overlay cannot be mounted");
    });
    await Promise.race([once(child.stdout, "data"), ended]);
    ended.catch(() => undefined);
    return new CleanSystem(child, join(directory, "root"));
  }

  /** Run a shell command in it. */
  run(script: string): Outcome {
    const { status, stdout, stderr } = spawnSync("nsenter", [...this.#enter(), "sh", "-c", script], {
      encoding: "utf8",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive", HOME: "/root" },
    });
    return { code: status, output: stdout + stderr };
  }

  /** The same; its output, without the last line's end. @throws Error if it fails. */
  output(script: string): string {
    const { code, output } = this.run(script);
    if (code !== 0) throw new Error(`${script}: exit code ${code}\n${output}`);
    return output.trimEnd();
  }

  /** Put a file of this machine there. */
  copy(file: string, target: string): void {
    execFileSync("nsenter", ["-t", String(this.#child.pid), "-m", "cp", file, join(this.#root, target)]);
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }

  #enter(): string[] {
    return ["-t", String(this.#child.pid), "-m", "chroot", this.#root];
  }
}
