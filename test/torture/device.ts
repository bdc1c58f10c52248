import { createHash } from "node:crypto";
import { EventEmitter } from "node:events";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createAgentRoot, startAgent } from "../support/agent.ts";
import type { Program } from "../support/program.ts";
import { SmallDisk } from "./disk.ts";
import { type ModuleName, moduleScripts, shippedSingleFile } from "./modules.ts";
import type { Plant } from "./plants.ts";

/** As systemd waits before it starts a program again, only shorter. */
const RESTART_PAUSE_MS = 300;
const MARK = "UPKEEP_TORTURE";
const REBOOT = '#!/bin/sh\n: > "$DEVICE/rebooting"\nkill -KILL $PPID\n';
const SOFTWARE = "before";

/** One line of the file `calls`: a module's call or a state script of an artifact. */
export interface Call {
  readonly artifact: string;
  readonly name: string;
  /** `begin`, or the exit code. */
  readonly what: string;
}

export interface DeviceOptions {
  readonly directory: string;
  readonly serverUrl: string;
  readonly plant: Plant | undefined;
}

/**
 * A device: the built agent as a process that is started again whenever it ends, its data on a small disk, its
 * software on a disk that nothing happens to.
 */
export class TorturedDevice {
  readonly disk: SmallDisk;
  /** `state` with each state that the agent enters. */
  readonly events = new EventEmitter<{ state: [name: string] }>();
  readonly #root: string;
  readonly #software: string;
  readonly #log: string;
  readonly #marker: string;
  #program: Program | undefined;
  #keeping: Promise<void> | undefined;
  #stopping = false;
  /** Resolves when the agent may be started. */
  #mayStart: Promise<void> = Promise.resolve();
  starts = 0;
  reboots = 0;

  constructor({ directory, serverUrl, plant }: DeviceOptions) {
    this.#root = join(directory, "root");
    this.#software = join(directory, "software");
    this.#log = join(directory, "agent.log");
    this.#marker = directory;
    mkdirSync(this.#root, { recursive: true });
    this.disk = SmallDisk.create(join(directory, "disk.img"), join(this.#root, "var/lib/mender"));
    createAgentRoot(this.#root, {
      serverUrl,
      deviceType: "board",
      identity: { serial: "tortured" },
      modules: moduleScripts(plant),
      config: { PollJitterPercent: 0, AbortCheckIntervalSeconds: 0, RetryDownloadCount: 10, CommitTimeoutSeconds: 5 },
    });
    // What the factory wrote outlives every power cut.
    this.disk.sync();
    mkdirSync(join(this.#root, "bin"));
    writeFileSync(join(this.#root, "bin/reboot"), REBOOT);
    chmodSync(join(this.#root, "bin/reboot"), 0o755);
    mkdirSync(this.#software);
    const files: Record<string, string> = {
      "single-file-module": shippedSingleFile(),
      calls: "",
      "slot-a": SOFTWARE,
      "slot-b": SOFTWARE,
      active: "a\n",
      running: "a\n",
      keeper: SOFTWARE,
      "single-file": SOFTWARE,
    };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(this.#software, name), content);
  }

  /** The directory that the artifacts of the module single-file name. */
  get softwareDirectory(): string {
    return this.#software;
  }

  #read(name: string): string {
    return readFileSync(join(this.#software, name), "utf8").trim();
  }

  /** The version that a module's part of the device runs, and starts with the next time. */
  runs(module: ModuleName): { readonly now: string; readonly next: string } {
    if (module !== "slots") return { now: this.#read(module), next: this.#read(module) };
    return { now: this.#read(`slot-${this.#read("running")}`), next: this.#read(`slot-${this.#read("active")}`) };
  }

  calls(): Call[] {
    const lines = this.#read("calls").split("\n");
    return lines.map((line) => {
      const [artifact = "", name = "", what = ""] = line.split(" ");
      return { artifact, name, what };
    });
  }

  keyHash(): string | undefined {
    const path = join(this.disk.path, "mender-agent.pem");
    return existsSync(path) ? createHash("sha256").update(readFileSync(path)).digest("hex") : undefined;
  }

  /** For a person: what the agent has on its disk. */
  store(): string {
    const path = join(this.disk.path, "upkeep-store.json");
    return existsSync(path) ? readFileSync(path, "utf8") : "(no store)";
  }

  start(): void {
    this.#keeping = this.#keep();
  }

  async #keep(): Promise<void> {
    while (!this.#stopping) {
      await this.#mayStart;
      this.starts++;
      this.#program = this.#startAgent();
      const end = await this.#program.ended;
      appendFileSync(this.#log, `--- ended (${end}) ---\n`);
      await this.#killLeftovers();
      if (this.#takeRebootMark()) {
        this.reboots++;
        this.#boot();
      }
      await delay(RESTART_PAUSE_MS);
    }
  }

  #startAgent(): Program {
    const path = `${join(this.#root, "bin")}:${process.env.PATH}`;
    const environment = { PATH: path, DEVICE: this.#software, DATA: this.disk.path, [MARK]: this.#marker };
    const program = startAgent(this.#root, { environment });
    let rest = "";
    for (const stream of [program.child.stdout, program.child.stderr]) {
      stream?.on("data", (text: string) => {
        appendFileSync(this.#log, text);
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          const state = /"state (\w+):/.exec(line)?.[1];
          if (state !== undefined) this.events.emit("state", state);
        }
      });
    }
    return program;
  }

  #takeRebootMark(): boolean {
    const mark = join(this.#software, "rebooting");
    if (!existsSync(mark)) return false;
    rmSync(mark);
    return true;
  }

  /** What the boot loader does: the slot to be tried, once; else the active one. */
  #boot(): void {
    const at = (name: string): string => join(this.#software, name);
    if (existsSync(at("next"))) {
      writeFileSync(at("running"), readFileSync(at("next")));
      renameSync(at("next"), at("tried"));
    } else {
      writeFileSync(at("running"), readFileSync(at("active")));
    }
  }

  /** End what the agent has started, as a service manager and a power cut do. */
  async #killLeftovers(): Promise<void> {
    for (let found = true; found; ) {
      found = false;
      for (const pid of readdirSync("/proc")) {
        if (!/^\d+$/.test(pid) || !this.#isOurs(pid)) continue;
        found = true;
        try {
          process.kill(Number(pid), "SIGKILL");
        } catch (error) {
          if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
        }
      }
      if (found) await delay(5);
    }
  }

  #isOurs(pid: string): boolean {
    try {
      // That of a program that has ended, and was not waited for yet, is empty.
      return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`${MARK}=${this.#marker}`);
    } catch (error) {
      if (error instanceof Error && "code" in error) return false;
      throw error;
    }
  }

  /** End the agent and what it has started; it is started again. @returns False if it does not run. */
  async kill(): Promise<boolean> {
    const runs = this.#program?.child.exitCode === null && this.#program.child.signalCode === null;
    await this.#program?.stop("SIGKILL");
    return runs;
  }

  /** The machine loses its power, and what was not synced; then it boots. */
  async cutPower(): Promise<void> {
    let powerOn: () => void = () => undefined;
    this.#mayStart = new Promise((resolve) => {
      powerOn = resolve;
    });
    try {
      this.disk.cutPower();
      await this.#program?.stop("SIGKILL");
      await this.#killLeftovers();
      await this.disk.powerOn();
      this.#takeRebootMark();
      this.#boot();
    } finally {
      powerOn();
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#program?.stop("SIGKILL");
    await this.#keeping;
    await this.#killLeftovers();
    await this.disk.unmount();
  }
}
