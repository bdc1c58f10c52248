import { readTextFile, replaceFile, type System } from "@upkeep/shared/system";
import type { Disk } from "./disk/disk.ts";
import type { Programs, SimulatedProgram } from "./programs.ts";
import { readRootImage } from "./root-image.ts";

/** The boot loader's variables, one `name=value` a line. */
export const BOOT_ENVIRONMENT = "/boot/env";
const ENVIRONMENT_BYTES_MAX = 64 * 1024;

export function parseEnvironment(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.split("\n")) {
    const equals = line.indexOf("=");
    if (equals > 0) variables.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return variables;
}

function environmentText(variables: ReadonlyMap<string, string>): string {
  return [...variables].map(([name, value]) => `${name}=${value}\n`).join("");
}

/** What was booted: the slot's number and what its image says. */
export interface BootedSlot {
  readonly slot: number;
  readonly software: string;
  readonly carries: unknown;
}

/** How often power may come back to a machine that does not get up before it counts as dead. */
const ATTEMPTS_MAX = 20;

export interface BootLoaderOptions {
  /** Device of each slot by its number, such as `{ 2: "/dev/slot-2", 3: "/dev/slot-3" }`. */
  readonly slots: Readonly<Record<number, string>>;
  /** Size of each slot. */
  readonly slotBytes?: number;
  /** Boots of a new slot (`upgrade_available=1`) that may fail before the other one is taken. */
  readonly bootLimit?: number;
  /** True if this boot of a slot crashes although its image is well. @param isNew It is still on trial. */
  readonly crashes?: (slot: number, isNew: boolean) => boolean;
}

/**
 * A boot loader with two slots and a counter, with the variables of Mender's integration: while
 * `upgrade_available` is 1 each boot adds one to `bootcount`; past the limit it goes back to the other slot.
 * A slot that is not whole, or crashes, makes the watchdog try again.
 */
export class BootLoader {
  readonly #slots: Readonly<Record<number, string>>;
  readonly #slotBytes: number;
  readonly #bootLimit: number;
  readonly #crashes: NonNullable<BootLoaderOptions["crashes"]>;

  constructor({ slots, slotBytes = 4096, bootLimit = 1, crashes = () => false }: BootLoaderOptions) {
    this.#crashes = crashes;
    this.#slotBytes = slotBytes;
    this.#slots = slots;
    this.#bootLimit = bootLimit;
  }

  /** Prepare a disk as the factory does: a slot for each image, the first one active. */
  install(disk: Disk, images: Readonly<Record<number, Uint8Array>>): void {
    for (const [number, path] of Object.entries(this.#slots)) {
      disk.makeDirectory(path.slice(0, path.lastIndexOf("/")), 0o755);
      disk.write(disk.makeDevice(path, this.#slotBytes), 0, images[Number(number)] ?? new Uint8Array(0), path);
    }
    const [active = "1"] = Object.keys(this.#slots);
    disk.makeDirectory(BOOT_ENVIRONMENT.slice(0, BOOT_ENVIRONMENT.lastIndexOf("/")), 0o755);
    this.#save(
      disk,
      new Map([
        ["mender_boot_part", active],
        ["mender_boot_part_hex", Number(active).toString(16)],
        ["upgrade_available", "0"],
        ["bootcount", "0"],
      ]),
    );
    disk.syncAll();
  }

  /** What comes up; `undefined` if nothing does, ever: the device is a brick. */
  boot(disk: Disk): BootedSlot | undefined {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const variables = this.#load(disk);
      if (variables.get("upgrade_available") === "1") {
        this.#count(variables);
        this.#save(disk, variables);
      }
      const slot = Number(variables.get("mender_boot_part"));
      const path = this.#slots[slot];
      const node = path === undefined ? undefined : disk.find(path);
      const image = node?.kind === "device" ? readRootImage(node.content.bytes) : undefined;
      const isNew = variables.get("upgrade_available") === "1";
      if (image?.boots && !this.#crashes(slot, isNew))
        return { slot, software: image.software, carries: image.carries };
    }
    return undefined;
  }

  #count(variables: Map<string, string>): void {
    const count = Number(variables.get("bootcount") ?? "0") + 1;
    variables.set("bootcount", String(count));
    if (count <= this.#bootLimit) return;
    const active = variables.get("mender_boot_part");
    const other = Object.keys(this.#slots).find((slot) => slot !== active) ?? "";
    variables.set("mender_boot_part", other);
    variables.set("mender_boot_part_hex", Number(other).toString(16));
    variables.set("upgrade_available", "0");
    variables.set("bootcount", "0");
  }

  #load(disk: Disk): Map<string, string> {
    const node = disk.find(BOOT_ENVIRONMENT);
    return parseEnvironment(node?.kind === "file" ? new TextDecoder().decode(node.content.bytes) : "");
  }

  /** At once durable: before any program runs, and by a loader that writes a redundant copy first. */
  #save(disk: Disk, variables: ReadonlyMap<string, string>): void {
    const file = disk.openForWriting(BOOT_ENVIRONMENT, 0o600, false);
    disk.truncate(file);
    disk.write(file, 0, new TextEncoder().encode(environmentText(variables)), BOOT_ENVIRONMENT);
    disk.syncAll();
  }
}

async function readEnvironment({ files }: Pick<System, "files">): Promise<Map<string, string>> {
  return parseEnvironment((await readTextFile(files, BOOT_ENVIRONMENT, ENVIRONMENT_BYTES_MAX)) ?? "");
}

/** `fw_printenv [-n] NAME…` */
const fwPrintenv: SimulatedProgram = async ({ args, system, stdout, stderr }) => {
  const variables = await readEnvironment(system);
  const bare = args[0] === "-n";
  const names = bare ? args.slice(1) : args;
  for (const name of names.length > 0 ? names : variables.keys()) {
    const value = variables.get(name);
    if (value === undefined) {
      stderr(`## Error: "${name}" not defined\n`);
      return 1;
    }
    stdout(bare ? `${value}\n` : `${name}=${value}\n`);
  }
  return 0;
};

/** `fw_setenv NAME [VALUE]`, or `fw_setenv -s FILE` with a `name value` a line. */
const fwSetenv: SimulatedProgram = async ({ args, system, stderr }) => {
  const [first, second] = args;
  if (first === undefined || (first === "-s" && second === undefined)) {
    stderr("fw_setenv: what is to be set?\n");
    return 1;
  }
  const variables = await readEnvironment(system);
  const lines =
    first === "-s"
      ? ((await readTextFile(system.files, second ?? "", ENVIRONMENT_BYTES_MAX)) ?? "").split("\n")
      : [args.join(" ")];
  for (const line of lines) {
    const [name = "", ...words] = line.replace("=", " ").trim().split(/\s+/);
    if (name === "") continue;
    if (words.length === 0) variables.delete(name);
    else variables.set(name, words.join(" "));
  }
  // The real tool writes the spare copy of a redundant environment and then makes it the valid one.
  await replaceFile(system.files, BOOT_ENVIRONMENT, environmentText(variables));
  return 0;
};

/** The tools that reach the boot loader's variables from a running system. */
export const BOOT_LOADER_TOOLS: Programs = { "/usr/bin/fw_printenv": fwPrintenv, "/usr/bin/fw_setenv": fwSetenv };
