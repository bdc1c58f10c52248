import { given } from "@upkeep/shared/given";
import { SystemError as Fault, type SignalName, type System, type SystemError } from "@upkeep/shared/system";
import type { SeededRandom } from "../../system/seeded-random.ts";
import type { BootedSlot, BootLoader } from "./boot-loader.ts";
import type { CallObserver } from "./calls.ts";
import { simulatedCron } from "./cron.ts";
import type { Disk } from "./disk/disk.ts";
import { afterPowerCut, afterShutdown, EVERYTHING_LOST, type Survival } from "./disk/survival.ts";
import { simulatedFiles } from "./files.ts";
import { type Peer, SimulatedNetwork, type Weather } from "./network.ts";
import type { CallDesk, SimulatedProcess } from "./process.ts";
import { ProcessTable } from "./processes.ts";
import type { Programs } from "./programs.ts";
import type { Trace } from "./trace.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What a machine can be asked to do about its power. */
export interface PowerManners {
  /** Why a reboot is refused now. */
  refuses?(): SystemError | undefined;
  /** A reboot is accepted and never happens. */
  readonly ignores?: boolean;
  /** From the request to the SIGTERM that everything gets. */
  readonly delayMs?: number;
  /** From SIGTERM to the end of whatever still runs. */
  readonly graceMs?: number;
}

export interface MachineOptions {
  readonly name?: string;
  readonly time: VirtualTime;
  readonly chance: SeededRandom;
  readonly disk: Disk;
  readonly programs?: Programs;
  readonly environment?: Readonly<Record<string, string>>;
  readonly peer?: Peer;
  readonly weather?: Weather;
  /** The largest piece in which an HTTP body arrives. */
  readonly chunkBytes?: number;
  readonly bootLoader?: BootLoader;
  readonly power?: PowerManners;
  readonly observer?: CallObserver;
  readonly trace?: Trace;
  /** Milliseconds since the Unix epoch that the wall clock shows when the simulation begins. */
  readonly wallClockMs?: number;
}

/** What the program of a boot is told about it. */
export interface Boot {
  /** From 1. */
  readonly number: number;
  /** With a boot loader: what it took. */
  readonly slot: BootedSlot | undefined;
  /** The id of the program's own process. */
  readonly pid: number;
  readonly environment: Readonly<Record<string, string>>;
}

/** The program that is the machine's purpose: the agent. */
export type MainProgram = (system: System, boot: Boot) => Promise<void>;

/** How a boot came to its end. */
export type BootEnd =
  /** The program returned. The machine is still up: boot again only after `powerOff`. */
  | { readonly kind: "returned" }
  | { readonly kind: "threw"; readonly error: unknown }
  /** The program was ended by a signal. */
  | { readonly kind: "killed"; readonly signal: string }
  | { readonly kind: "rebooted" }
  | { readonly kind: "power-cut" }
  /** No slot could be started. */
  | { readonly kind: "brick" };

/** When simulations begin, unless they say otherwise: 2026-01-01. */
const WALL_CLOCK_MS = 1_767_225_600_000;
/** How the program's own process is called. */
const MAIN = "main";
const REBOOT = { delayMs: 100, graceMs: 5000 } as const;

/**
 * A machine behind the simulated door: boots a program, and survives its own end. Use one machine for each
 * boot or for many; what stays from one boot to the next is its disk, and the wall clock.
 */
export class SimulatedMachine {
  readonly name: string;
  readonly #options: MachineOptions;
  readonly #network: SimulatedNetwork;
  readonly #clockActions = new Set<() => void>();
  #disk: Disk;
  #wallOffsetMs: number;
  #boots = 0;
  #calls = 0;
  #table: ProcessTable | undefined;
  #end: ((end: BootEnd) => void) | undefined;
  #rebooting = false;
  #slot: BootedSlot | undefined;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.name = options.name ?? "device";
    this.#wallOffsetMs = options.wallClockMs ?? WALL_CLOCK_MS;
    this.#disk = options.disk;
    this.#disk.now = () => this.wallMs;
    this.#network = new SimulatedNetwork({
      time: options.time,
      peer: options.peer ?? (() => undefined),
      ...given({ weather: options.weather, chunkBytes: options.chunkBytes }),
    });
  }

  /** What is on the disk now; another object after each boot. */
  get disk(): Disk {
    return this.#disk;
  }

  /** Calls on the door in this boot. */
  get calls(): number {
    return this.#calls;
  }

  get boots(): number {
    return this.#boots;
  }

  get running(): boolean {
    return this.#end !== undefined;
  }

  /** It has power and was booted, whether its program runs or not. */
  get up(): boolean {
    return this.#table !== undefined;
  }

  /** With a boot loader: what the last boot took. */
  get slot(): BootedSlot | undefined {
    return this.#slot;
  }

  /** True while the process runs that has this id in this boot. */
  runs(pid: number): boolean {
    return this.#table?.running.some((process) => process.pid === pid) ?? false;
  }

  /** What the wall clock shows. */
  get wallMs(): number {
    return this.#wallOffsetMs + this.#options.time.nowMs;
  }

  /** Set the wall clock, in either direction. */
  setWallClock(wallMs: number): void {
    this.#wallOffsetMs = wallMs - this.#options.time.nowMs;
    this.#note(() => `wall clock ${wallMs}`);
    for (const action of [...this.#clockActions]) action();
  }

  /** Power on: run `program` until it ends, the power goes or the machine reboots. */
  boot(program: MainProgram): Promise<BootEnd> {
    if (this.#end !== undefined) throw new Fault("EBUSY", `${this.name} is running`);
    this.#boots++;
    this.#calls = 0;
    this.#clockActions.clear();
    const slot = this.#options.bootLoader?.boot(this.#disk);
    this.#slot = slot;
    this.#note(() => `boot ${this.#boots}${slot === undefined ? "" : ` slot ${slot.slot} ${slot.software}`}`);
    if (slot === undefined && this.#options.bootLoader !== undefined) return Promise.resolve({ kind: "brick" });
    return this.#start(program);
  }

  /** Start the program again after it has ended by itself or by a signal: the machine has been up all the time. */
  restart(program: MainProgram): Promise<BootEnd> {
    if (this.#end !== undefined) throw new Fault("EBUSY", `${this.name} is running`);
    if (this.#table === undefined) throw new Fault("EHOSTDOWN", `${this.name} is down`);
    this.#clockActions.clear();
    this.#note(() => "program started again");
    return this.#start(program);
  }

  #start(program: MainProgram): Promise<BootEnd> {
    return new Promise((resolve) => {
      this.#end = resolve;
      const { environment = {} } = this.#options;
      const table = new ProcessTable({
        desk: this.#desk(),
        disk: this.#disk,
        programs: this.#options.programs ?? {},
        doorFor: (process, inherited) => this.#doorFor(table, main, process, inherited),
        note: (line) => this.#note(line),
      });
      this.#table = table;
      const main = table.add(MAIN);
      this.#writeKernelFiles(main.pid);
      main.onEnd(() => {
        const { exit } = main;
        if (exit !== undefined && "signal" in exit && !this.#rebooting)
          this.#finish({ kind: "killed", signal: exit.signal });
      });
      program(this.#doorFor(table, main, main, environment), {
        number: this.#boots,
        slot: this.#slot,
        pid: main.pid,
        environment,
      }).then(
        () => this.#mainEnded(main, { kind: "returned" }),
        (error: unknown) => this.#mainEnded(main, { kind: "threw", error }),
      );
    });
  }

  /** What the kernel says of this boot and of the program's process, by which locks tell processes apart. */
  #writeKernelFiles(pid: number): void {
    const disk = this.#disk;
    if (!disk.mounts.some(({ path, volatile }) => volatile && path === "/proc")) return;
    const put = (directory: string, name: string, text: string): void => {
      disk.makeDirectory(directory, 0o755);
      const path = `${directory}/${name}`;
      const file = disk.openForWriting(path, 0o444, false);
      disk.truncate(file);
      disk.write(file, 0, new TextEncoder().encode(text), path);
    };
    const startedTicks = Math.round(this.#options.time.nowMs / 10);
    put("/proc/sys/kernel/random", "boot_id", `boot-${this.#boots}\n`);
    put(`/proc/${pid}`, "stat", `${pid} (upkeep) S${" 0".repeat(18)} ${startedTicks}\n`);
  }

  /** Cut the power now. `survival` decides what is left of that which was not synced. */
  cutPower(survival: Survival = EVERYTHING_LOST): void {
    this.#goDown(survival, { kind: "power-cut" });
  }

  /** An orderly end: what was written is synced. */
  powerOff(): void {
    this.#goDown("orderly", { kind: "power-cut" });
  }

  /** The program is ended the hard way, and everything it started with it, as a service manager does; the machine stays up. */
  killProgram(): void {
    for (const process of this.#table?.running ?? []) process.end({ signal: "SIGKILL" });
  }

  /** A signal to the program. Harmless if it does not run. */
  signalProgram(name: SignalName): void {
    for (const process of this.#table?.running ?? []) if (process.name === MAIN) process.signal(name);
  }

  #goDown(how: Survival | "orderly", end: BootEnd): void {
    if (this.#table === undefined) return;
    this.#table.freezeAll();
    this.#table = undefined;
    this.#rebooting = false;
    this.#disk = how === "orderly" ? afterShutdown(this.#disk) : afterPowerCut(this.#disk, how);
    this.#note(() => end.kind);
    this.#finish(end);
  }

  #finish(end: BootEnd): void {
    const resolve = this.#end;
    this.#end = undefined;
    resolve?.(end);
  }

  /** Whatever it started in the background ends with the program, as a service manager sees to it. */
  #mainEnded(main: SimulatedProcess, end: BootEnd): void {
    if (!main.alive) return;
    this.#note(() => `program ${end.kind}`);
    main.end({ code: 0 });
    // `main` ended because the machine is about to go down: then that is the end.
    if (this.#rebooting) return;
    this.#finish(end);
    this.killProgram();
  }

  /** The service manager's way: SIGTERM to the program alone, and an end for everything once that has ended or had its time. */
  #reboot(main: SimulatedProcess): void {
    const { time, power = {} } = this.#options;
    if (power.ignores || this.#rebooting) return;
    this.#rebooting = true;
    const table = this.#table;
    const down = (): void => {
      if (this.#table === table) this.#goDown("orderly", { kind: "rebooted" });
    };
    time.after(power.delayMs ?? REBOOT.delayMs, () => {
      if (this.#table !== table) return;
      this.#note(() => "shutting down");
      main.signal("SIGTERM");
      main.onEnd(down);
      time.after(power.graceMs ?? REBOOT.graceMs, down);
    });
  }

  #desk(): CallDesk {
    const { time, observer = {}, trace } = this.#options;
    const noted: CallObserver =
      trace === undefined
        ? observer
        : {
            before: (call) => {
              this.#note(() => `${call.number} ${call.process} ${call.name} ${call.subject}`);
              observer.before?.(call);
            },
            after: (call) => observer.after?.(call),
            fault: (call) => observer.fault?.(call),
            freeBytes: (path, bytes) => observer.freeBytes?.(path, bytes) ?? bytes,
            latencyMs: (call) => observer.latencyMs?.(call) ?? 0,
          };
    return { time, observer: noted, nextCall: () => ++this.#calls };
  }

  #doorFor(
    table: ProcessTable,
    main: SimulatedProcess,
    process: SimulatedProcess,
    environment: Readonly<Record<string, string>>,
  ): System {
    const { time, chance, power = {} } = this.#options;
    return {
      clock: { now: () => this.wallMs, monotonic: () => time.nowMs },
      timers: {
        after: (delayMs, action) => process.after(delayMs, action),
        sleep: (delayMs, signal) => process.sleep(delayMs, signal),
      },
      cron: simulatedCron({
        now: () => this.wallMs,
        after: (delayMs, action) => process.after(delayMs, action),
        onSet: (action) => {
          this.#clockActions.add(action);
          return () => this.#clockActions.delete(action);
        },
      }),
      random: chance,
      files: simulatedFiles(process, this.#disk),
      network: this.#network.doorFor(process),
      processes: table.doorFor(process, environment),
      power: {
        reboot: () =>
          process.call("power.reboot", "", () => {
            const refused = power.refuses?.();
            if (refused !== undefined) throw refused;
            this.#reboot(main);
          }),
      },
    };
  }

  #note(line: () => string): void {
    this.#options.trace?.add(this.#options.time.nowMs, this.name, line());
  }
}
