import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { until } from "../../support/waiting.ts";
import type { VolatileDisk } from "./volatile-disk.ts";

export const MAC = "02:00:5e:00:53:17";

/** For a person who waits: what the serial line shows, as it comes. */
const SERIAL_LOG = process.env.UPKEEP_TEST_SERIAL;

/**
 * The device's time passes with the instructions that it executes (4 ns each) and, while it waits, with this machine's:
 * on a busy machine no limit of its kernel, of systemd or of the agent is over sooner.
 */
const CLOCK = ["-accel", "tcg,thread=single", "-icount", "shift=2,sleep=on", "-smp", "1"];

/** A PC in QEMU, emulated: it needs no KVM. A cold start for each boot, as with the power switch. */
export class QemuDevice {
  readonly #disk: VolatileDisk;
  readonly #shellSocket: string;
  readonly #shellServer: Server;
  #serial = "";
  readonly #marks: string[] = [];
  #process: ChildProcess | undefined;
  #shell: Socket | undefined;
  #shellOutput = "";
  #running = false;
  #starts = 0;

  constructor(disk: VolatileDisk, folder: string) {
    this.#disk = disk;
    this.#shellSocket = join(folder, "shell.sock");
    this.#shellServer = createServer((socket) => {
      this.#shell = socket;
      socket.on("error", () => socket.destroy());
      socket.setEncoding("utf8").on("data", (text: string) => {
        this.#shellOutput += text;
      });
    }).listen(this.#shellSocket);
  }

  /** What BIOS, GRUB, kernel, systemd and the agent wrote to the serial line, over all boots. */
  get serial(): string {
    return this.#serial;
  }

  /** How often it was started. */
  get starts(): number {
    return this.#starts;
  }

  /** Switches it on, and on again whenever it ends by itself: for a reboot, or because its watchdog has bitten. */
  on(): void {
    this.#running = true;
    this.#starts += 1;
    const args = [
      ...[...CLOCK, "-machine", "pc", "-m", "512", "-no-reboot", "-display", "none"],
      ...["-nodefaults", "-serial", "stdio", "-rtc", "base=utc"],
      ...["-device", "i6300esb", "-action", "watchdog=reset"],
      ...["-nic", `user,model=virtio-net-pci,mac=${MAC}`],
      ...["-drive", `${this.#disk.drive},if=none,id=disk`, "-device", "virtio-blk-pci,drive=disk"],
      ...["-device", "virtio-serial", "-chardev", `socket,id=shell,path=${this.#shellSocket}`],
      ...["-device", "virtserialport,chardev=shell,name=shell"],
    ];
    const machine = spawn("qemu-system-x86_64", args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = machine;
    const add = (text: string) => {
      this.#serial += text;
      if (SERIAL_LOG !== undefined) appendFileSync(SERIAL_LOG, text, "latin1");
    };
    machine.stdout.setEncoding("latin1").on("data", add);
    machine.stderr.setEncoding("latin1").on("data", add);
    machine.once("close", (code) => {
      this.#shell?.destroy();
      this.#shell = undefined;
      // With another code QEMU itself has failed, and would fail again. The serial log has what it said.
      if (!this.#running || code !== 0) return;
      this.#disk.flush();
      this.on();
    });
  }

  /** Cuts the power: what the disk has in its cache is lost or torn. @returns What that was. */
  async cut(): Promise<{ unflushed: number; kept: number }> {
    this.#running = false;
    const machine = this.#process;
    if (machine !== undefined && machine.exitCode === null && machine.signalCode === null) {
      const closed = once(machine, "close");
      machine.kill("SIGKILL");
      await closed;
    }
    return this.#disk.loseCache();
  }

  async close(): Promise<void> {
    await this.cut();
    this.#shell?.destroy();
    this.#shellServer.close();
  }

  /** Waits until the serial line has shown a pattern since `from`, a length of `serial`. */
  async untilSerial(pattern: RegExp, from: number, limitMs: number): Promise<RegExpExecArray> {
    return await until(`the serial line shows ${pattern}`, () => pattern.exec(this.#serial.slice(from)) ?? undefined, {
      limitMs,
      explain: () => this.#serial.slice(from).slice(-6000),
    });
  }

  /** Runs a command in the shell of the device, which it waits for. @returns Its output. */
  async run(command: string, limitMs = 120_000): Promise<string> {
    const mark = `end-${this.#marks.length}-${this.#starts}`;
    this.#marks.push(mark);
    const shell = await until("the shell's line is there", () => this.#shell, { limitMs });
    const from = this.#shellOutput.length;
    shell.write(`{ ${command}\n} </dev/null 2>&1; echo; echo ${mark} $?\n`);
    const end = new RegExp(`^([^]*)\\n${mark} (\\d+)\\n`);
    const found = await until(
      `the shell answers ${command}`,
      () => end.exec(this.#shellOutput.slice(from)) ?? undefined,
      {
        limitMs,
        explain: () => this.#shellOutput.slice(from) + this.#serial.slice(-3000),
      },
    );
    if (found[2] !== "0") throw new Error(`${command}: exit code ${found[2]}\n${found[1]}`);
    return found[1]?.trim() ?? "";
  }
}
