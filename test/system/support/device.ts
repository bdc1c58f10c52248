import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { until } from "../../support/waiting.ts";
import { debianBase } from "./base.ts";

export interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

export interface BootOptions {
  readonly base?: string;
  readonly network?: string;
}

/**
 * Boots the overlay again and again, as a boot loader does: systemd-nspawn ends with 133 for a reboot. Everything below
 * lies in a mount namespace of its own and is gone when this ends.
 */
const MACHINE = `
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
boots=0
while :; do
  boots=$((boots + 1))
  echo "boot $boots"
  code=0
  systemd-nspawn --quiet --boot --register=no --keep-unit --console=pipe --directory="$1/root" </dev/null || code=$?
  echo "ended $code"
  [ "$code" = 133 ] || exit 0
done
`;

const ENVIRONMENT = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  DEBIAN_FRONTEND: "noninteractive",
  HOME: "/root",
};

/** A Debian system with systemd as its process 1, in a container without a network of its own. */
export class SystemDevice {
  readonly #machine: ChildProcess;
  readonly #directory: string;
  readonly #console: string[] = [];

  private constructor(machine: ChildProcess, directory: string) {
    this.#machine = machine;
    this.#directory = directory;
  }

  /**
   * Boots a system.
   * @param directory Where its overlay is mounted; must not exist.
   * @param options `base`: the root that it is an overlay of. `network`: the path of its network namespace; this
   *   machine's own by default.
   */
  static async boot(directory: string, options: BootOptions = {}): Promise<SystemDevice> {
    const { base = debianBase(), network = "/proc/self/ns/net" } = options;
    mkdirSync(directory, { recursive: true });
    const enter = [`--net=${network}`, "unshare", "--mount"];
    const machine = spawn("nsenter", [...enter, "sh", "-c", MACHINE, "sh", directory, base], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const device = new SystemDevice(machine, directory);
    machine.stdout.setEncoding("utf8").on("data", (text: string) => device.#console.push(text));
    machine.stderr.setEncoding("utf8").on("data", (text: string) => device.#console.push(text));
    await device.#untilRunning(1);
    return device;
  }

  /** What the console showed: boots, ends, and what systemd prints. */
  console(): string {
    return this.#console.join("");
  }

  /** How often it has booted. */
  get boots(): number {
    return this.console().match(/^boot \d+$/gm)?.length ?? 0;
  }

  /** Runs a shell command in it. */
  run(script: string): Outcome {
    const leader = this.#leader();
    if (leader === undefined) return { code: null, output: "the system does not run" };
    const enter = ["--target", String(leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"];
    const { status, stdout, stderr } = spawnSync("nsenter", [...enter, "sh", "-c", script], {
      encoding: "utf8",
      env: ENVIRONMENT,
      maxBuffer: 16 * 1024 * 1024,
    });
    return { code: status, output: stdout + stderr };
  }

  /** The same; its output, without the last line's end. @throws Error if it fails. */
  output(script: string): string {
    const { code, output } = this.run(script);
    if (code !== 0) throw new Error(`${script}: exit code ${code}\n${output}`);
    return output.trimEnd();
  }

  /** Puts a file of this machine there. */
  copy(file: string, target: string): void {
    this.write(target, readFileSync(file));
  }

  write(target: string, content: string | Uint8Array, mode = 0o644): void {
    const leader = this.#leader();
    if (leader === undefined) throw new Error("the system does not run");
    const script = `mkdir -p "$(dirname ${target})" && cat >${target} && chmod ${mode.toString(8)} ${target}`;
    execFileSync("nsenter", ["--target", String(leader), "--mount", "--root", "--wd", "sh", "-c", script], {
      input: content,
      env: ENVIRONMENT,
    });
  }

  /** The journal of a unit, without time stamps. */
  journal(unit = "upkeep"): string {
    return this.run(`journalctl --unit ${unit} --no-pager --output cat`).output;
  }

  /** A property of a unit. */
  property(name: string, unit = "upkeep"): string {
    return this.output(`systemctl show --property=${name} --value ${unit}`);
  }

  async untilUnit(state: string, unit = "upkeep"): Promise<void> {
    const now = () => this.run(`systemctl show --property=ActiveState --value ${unit}`).output.trim();
    await until(`${unit} is ${state}`, () => now() === state || undefined, { explain: () => this.journal(unit) });
  }

  async untilJournal(pattern: RegExp, limitMs?: number): Promise<void> {
    await until(`the journal has ${pattern}`, () => pattern.test(this.journal()) || undefined, {
      explain: () => this.journal(),
      ...(limitMs === undefined ? {} : { limitMs }),
    });
  }

  /** Waits until it has booted once more than `boots` times. */
  async untilRebooted(boots: number, limitMs = 120_000): Promise<void> {
    await until("the system boots again", () => this.boots > boots || undefined, {
      limitMs,
      explain: () => this.console(),
    });
    await this.#untilRunning(boots + 1);
  }

  async reboot(): Promise<void> {
    const { boots } = this;
    this.run("systemctl reboot");
    await this.untilRebooted(boots);
  }

  async stop(): Promise<void> {
    const ended = once(this.#machine, "close");
    const leader = this.#leader();
    this.#machine.kill("SIGKILL");
    // With its process 1 all processes of the container end; systemd-nspawn alone would leave them behind.
    if (leader !== undefined) process.kill(leader, "SIGKILL");
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #children(pid: number): number[] {
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
    } catch {
      return [];
    }
  }

  /** The process id of systemd-nspawn. */
  #container(): number | undefined {
    return this.#children(this.#machine.pid ?? 0)[0];
  }

  /** That of its process 1, as this machine sees it. */
  #leader(): number | undefined {
    const container = this.#container();
    return container === undefined ? undefined : this.#children(container)[0];
  }

  async #untilRunning(boot: number): Promise<void> {
    const explain = () => `${this.console()}\n${this.run("systemctl list-jobs; systemctl --failed").output}`;
    const state = () => this.run("systemctl is-system-running").output.trim();
    await until(
      `boot ${boot} is over`,
      () => (this.boots >= boot && ["running", "degraded"].includes(state())) || undefined,
      { limitMs: 180_000, explain },
    );
  }
}
