import { type Files, type Processes, type SignalName, type System, SystemError } from "@upkeep/shared/system";
import type { SeededRandom } from "../../system/seeded-random.ts";

const refuse = (code: string, message: string) => (): Promise<never> => Promise.reject(new SystemError(code, message));
const readOnly = refuse("EROFS", "a virtual device has no disk");
const absent = refuse("ENOENT", "a virtual device has no files");

/** An empty file system that cannot be written. */
const NO_FILES: Files = {
  open: (_, mode) => (mode === "read" || mode === "update" ? absent() : readOnly()),
  status: async () => undefined,
  list: absent,
  makeDirectory: readOnly,
  rename: readOnly,
  remove: async () => undefined,
  setPermissions: readOnly,
  isExecutable: async () => false,
  realPath: absent,
  readLink: async () => undefined,
  syncFiles: readOnly,
  syncDirectory: readOnly,
  freeBytes: async () => 0,
  makeFifos: readOnly,
  isFifoRead: absent,
  openFifo: absent,
};

const noPrograms = refuse("ENOSYS", "a virtual device runs no programs");
const nothing = (): void => undefined;

/** A virtual device runs no programs. Its one signal is SIGTERM, with which the fleet ends it. */
class VirtualProcesses implements Processes {
  readonly start = noPrograms;
  #onTerm: (() => void) | undefined;
  #terminated = false;

  onSignal(name: SignalName, action: () => void): () => void {
    if (name !== "SIGTERM") return nothing;
    this.#onTerm = action;
    if (this.#terminated) action();
    return () => {
      this.#onTerm = undefined;
    };
  }

  terminate(): void {
    this.#terminated = true;
    this.#onTerm?.();
  }
}

/** What all devices of a fleet share of their doors. */
export type SharedDoor = Pick<System, "clock" | "timers" | "network">;

/** The door of one virtual device: time, chance and a network; no disk, no programs, no power of its own. */
export class VirtualDoor implements System {
  readonly clock: System["clock"];
  readonly timers: System["timers"];
  readonly network: System["network"];
  readonly random: SeededRandom;
  readonly files = NO_FILES;
  readonly processes = new VirtualProcesses();

  constructor({ clock, timers, network }: SharedDoor, random: SeededRandom) {
    this.clock = clock;
    this.timers = timers;
    this.network = network;
    this.random = random;
  }

  get cron(): System["cron"] {
    return NO_CRON;
  }

  get power(): System["power"] {
    return NO_POWER;
  }
}

const NO_POWER: System["power"] = { reboot: refuse("ENOSYS", "a virtual device has no power switch") };
const NO_CRON: System["cron"] = {
  schedule: refuse("ENOSYS", "a virtual device has no maintenance windows"),
  matches: refuse("ENOSYS", "a virtual device has no maintenance windows"),
  fault: async () => undefined,
};
