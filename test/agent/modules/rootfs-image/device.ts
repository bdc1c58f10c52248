import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { onTestFinished } from "vitest";
import { runRootfsImage } from "../../../../agent/modules/rootfs-image/index.ts";
import { parseVariables } from "../../../../agent/modules/rootfs-image/variables.ts";
import { linuxSystem } from "../../../../agent/system/index.ts";
import { startProgram } from "../../../support/program.ts";
import { until } from "../../../support/waiting.ts";
import { type Booted, bootOnce } from "./boot-loader.ts";

export const PARTITION_BYTES = 4 * 1024 * 1024;
export const PARTS = [2, 3] as const;
export type Part = (typeof PARTS)[number];

/** Begins every image that boots. */
const BOOTS = "this root file system boots";

export interface CallResult {
  readonly exitCode: 0 | 1;
  readonly stdout: string;
  readonly stderr: string;
}

/** Which tools the device has for its boot loader's environment. */
export type Tools = "fw_setenv" | "fw_setenv of old" | "grub-mender-grubenv" | "grub-editenv";

/** An image for a partition. */
export function image(boots: boolean, seed: number, sizeBytes = PARTITION_BYTES): Buffer {
  const content = Buffer.alloc(sizeBytes, seed);
  content.write(boots ? BOOTS : "this one does not");
  return content;
}

/** True if loop devices can be had here: it takes root, and a kernel that lets us. */
export function loopDevicesWork(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "upkeep-loop-"));
  try {
    const file = join(folder, "probe");
    writeFileSync(file, Buffer.alloc(1024 * 1024));
    execFileSync("losetup", ["-d", attachLoop(file)]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function attachLoop(file: string): string {
  return execFileSync("losetup", ["--find", "--show", file], { stdio: "pipe", encoding: "utf8" }).trim();
}

/**
 * A device with two root file systems: what of the machine the module looks at, under a directory. The
 * partitions are loop devices; where there are none, files stand for them.
 */
export class AbDevice {
  readonly root: string;
  readonly workTree: string;
  readonly #tools: Tools;
  readonly #bin: string;
  readonly #loops: string[] = [];
  #running: number = PARTS[0];

  constructor(tools: Tools, variables: Readonly<Record<string, string>> = {}, useLoops = true) {
    this.root = mkdtempSync(join(tmpdir(), "upkeep-ab-"));
    onTestFinished(() => this.#destroy());
    this.#tools = tools;
    this.#bin = join(this.root, "bin");
    this.workTree = join(this.root, "var/lib/mender/modules/v3/payloads/0000/tree");
    for (const path of ["bin", "dev", "proc/self", "etc/mender", "boot/grub"]) {
      mkdirSync(join(this.root, path), { recursive: true });
    }
    mkdirSync(join(this.workTree, "tmp"), { recursive: true });
    this.configure({ RootfsPartA: "/dev/sda2", RootfsPartB: "/dev/sda3" });
    if (useLoops) symlinkSync("/sys", join(this.root, "sys"));
    for (const part of PARTS) this.#makePartition(part, useLoops);
    this.#makeEnvironment({ mender_boot_part: "2", mender_boot_part_hex: "2", upgrade_available: "0", ...variables });
    this.#mount(PARTS[0]);
  }

  configure(config: Readonly<Record<string, unknown>>): void {
    writeFileSync(join(this.root, "etc/mender/mender.conf"), JSON.stringify(config));
  }

  writeFile(path: string, content: string | Buffer): void {
    writeFileSync(join(this.root, path), content);
  }

  /** Put a program in front of the PATH of the calls. */
  program(name: string, script: string): void {
    const path = join(this.#bin, name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  }

  removeProgram(name: string): void {
    rmSync(join(this.#bin, name));
  }

  content(part: Part): Buffer {
    return readFileSync(join(this.root, `dev/sda${part}`)).subarray(0, PARTITION_BYTES);
  }

  /** The environment, read with the boot loader's own tool. */
  variables(): Readonly<Record<string, string>> {
    return parseVariables(this.#run(...this.#listCommand()));
  }

  /** Power off and on. @returns The partition that runs then. */
  reboot(): number {
    const before = this.variables();
    const booted: Booted = bootOnce(before, PARTS, (part) =>
      this.content(part as Part)
        .toString()
        .startsWith(BOOTS),
    );
    const changed = Object.entries(booted.variables).filter(([name, value]) => before[name] !== value);
    if (changed.length > 0) this.setVariables(Object.fromEntries(changed));
    this.#mount(booted.running);
    return booted.running;
  }

  /** What follows when a real boot loader has booted this partition. */
  booted(part: Part): void {
    this.#mount(part);
  }

  get running(): number {
    return this.#running;
  }

  /** Set variables as the boot loader would. */
  setVariables(variables: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(variables)) this.#run(...this.#setCommand(name, value));
  }

  /** A call of the module, in this process. */
  async call(name: string, environment: Readonly<Record<string, string>> = {}): Promise<CallResult> {
    const out: string[] = [];
    const err: string[] = [];
    const path = process.env.PATH;
    process.env.PATH = `${this.#bin}${delimiter}${path}`;
    try {
      const context = {
        system: linuxSystem(),
        workTree: this.workTree,
        root: this.root,
        environment,
        say: (line: string) => err.push(`${line}\n`),
      };
      const exitCode = await runRootfsImage(
        name,
        context,
        (text) => out.push(text),
        (text) => err.push(text),
      );
      return { exitCode, stdout: out.join(""), stderr: err.join("") };
    } finally {
      process.env.PATH = path;
    }
  }

  /** DownloadWithFileSizes, and the client's side of it: `files` are offered one after the other. */
  download(...files: readonly Buffer[]): Promise<CallResult> {
    return this.#offer(files, true);
  }

  /** Download, from a client that tells no sizes. */
  downloadWithoutSizes(...files: readonly Buffer[]): Promise<CallResult> {
    return this.#offer(files, false);
  }

  async #offer(files: readonly Buffer[], withSizes: boolean): Promise<CallResult> {
    this.newWorkTree();
    mkdirSync(join(this.workTree, "streams"));
    const steps = ["mkfifo stream-next"];
    for (const [index, file] of files.entries()) {
      const name = `streams/image ${index}.ext4`;
      this.writeFile(`image${index}`, file);
      steps.push(`mkfifo '${name}'`, `echo '${name}${withSizes ? ` ${file.length}` : ""}' >stream-next`);
      steps.push(`cat '${join(this.root, `image${index}`)}' >'${name}'`);
    }
    const client = startProgram("sh", ["-c", [...steps, ": >stream-next"].join("\n")], { directory: this.workTree });
    await until("stream-next is there", () => existsSync(join(this.workTree, "stream-next")) || undefined);
    const result = await this.call(withSizes ? "DownloadWithFileSizes" : "Download");
    // Where the module refused, the client still waits for a reader.
    await client.stop();
    return result;
  }

  deviceNumber(part: number): string {
    return readFileSync(join(this.root, `sys/class/block/${this.#nodeOf(part)}/dev`), "utf8").trim();
  }

  mountInfo(): string {
    return readFileSync(join(this.root, "proc/self/mountinfo"), "utf8");
  }

  newWorkTree(): void {
    rmSync(this.workTree, { recursive: true, force: true });
    mkdirSync(join(this.workTree, "tmp"), { recursive: true });
  }

  #destroy(): void {
    for (const loop of this.#loops) execFileSync("losetup", ["-d", loop]);
    rmSync(this.root, { recursive: true, force: true });
  }

  /** What the kernel would say after booting from `part`. */
  #mount(part: number): void {
    this.#running = part;
    this.writeFile(
      "proc/self/mountinfo",
      `22 1 ${this.deviceNumber(part)} / / rw,relatime shared:1 - ext4 /dev/root rw\n`,
    );
    this.writeFile("proc/cmdline", `console=ttyS0 root=/dev/sda${part} rw\n`);
  }

  #nodeOf(part: number): string {
    return this.#loops[PARTS.indexOf(part as Part)]?.slice("/dev/".length) ?? `sda${part}`;
  }

  #makePartition(part: Part, useLoops: boolean): void {
    const path = join(this.root, `dev/sda${part}`);
    const backing = useLoops ? join(this.root, `partition${part}`) : path;
    writeFileSync(backing, image(part === PARTS[0], part));
    truncateSync(backing, PARTITION_BYTES);
    if (useLoops) {
      const loop = attachLoop(backing);
      this.#loops.push(loop);
      symlinkSync(loop, path);
      return;
    }
    const sysfs = join(this.root, `sys/class/block/sda${part}`);
    mkdirSync(sysfs, { recursive: true });
    writeFileSync(join(sysfs, "dev"), `8:${part}\n`);
    writeFileSync(join(sysfs, "size"), `${PARTITION_BYTES / 512}\n`);
  }

  #makeEnvironment(variables: Readonly<Record<string, string>>): void {
    if (this.#tools === "grub-editenv") {
      this.#run("grub-editenv", this.#grubBlock, "create");
      this.setVariables(variables);
      return;
    }
    const file = join(this.root, "environment");
    writeFileSync(file, Buffer.alloc(0x8000));
    writeFileSync(join(this.root, "fw_env.config"), `${file} 0x0000 0x4000\n${file} 0x4000 0x4000\n`);
    const initial = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(this.root, "initial"), initial.join(""));
    const flags = `-c '${join(this.root, "fw_env.config")}' -f '${join(this.root, "initial")}'`;
    const prefix = this.#tools === "grub-mender-grubenv" ? "grub-mender-grubenv" : "fw";
    const [print, set] = prefix === "fw" ? ["fw_printenv", "fw_setenv"] : [`${prefix}-print`, `${prefix}-set`];
    this.program(print, `exec /usr/bin/fw_printenv ${flags} "$@"`);
    const forward = `exec /usr/bin/fw_setenv ${flags} "$@"`;
    // Tools of before 2018 know only `name value` in a batch, and call anything else a bad name.
    const old = [
      'if [ "$1" = -s ]; then',
      '  if grep -q = "$2"; then echo "illegal character" >&2; exit 1; fi',
      `  sed 's/ /=/' "$2" >"$2.new"; set -- -s "$2.new"`,
      "fi",
    ].join("\n");
    // libubootenv writes an environment where there was none only when it is told what to begin with.
    this.program(set, forward);
    this.#run(join(this.#bin, set), "-s", join(this.root, "initial"));
    if (this.#tools === "fw_setenv of old") this.program(set, `${old}\n${forward}`);
  }

  get #grubBlock(): string {
    return join(this.root, "boot/grub/grubenv");
  }

  #listCommand(): [string, ...string[]] {
    if (this.#tools === "grub-editenv") return ["grub-editenv", this.#grubBlock, "list"];
    const name = this.#tools === "grub-mender-grubenv" ? "grub-mender-grubenv-print" : "fw_printenv";
    return [join(this.#bin, name)];
  }

  #setCommand(name: string, value: string): [string, ...string[]] {
    if (this.#tools === "grub-editenv") return ["grub-editenv", this.#grubBlock, "set", `${name}=${value}`];
    return ["/usr/bin/fw_setenv", "-c", join(this.root, "fw_env.config"), name, value];
  }

  #run(command: string, ...args: string[]): string {
    return execFileSync(command, args, { stdio: "pipe", encoding: "utf8" });
  }
}
