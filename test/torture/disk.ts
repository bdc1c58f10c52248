import { execFileSync } from "node:child_process";
import { closeSync, copyFileSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const SIZE = "8M";
const INODES = 256;
/** What fills the disk for the harness; update modules have a directory of their own. */
const BALLAST = "ballast/harness";
const PIECES = [256 * 1024, 16 * 1024, 1024, 1];
const BUSY_TRIES = 100;
const BUSY_PAUSE_MS = 20;

/** EXT4_IOC_SHUTDOWN without flushing the journal: what was not synced is lost, as in a power cut. */
const SHUTDOWN = 'open(F, "<", $ARGV[0]) or die; my $how = pack("L", 2); ioctl(F, 0x8004587D, $how) or die "$!"';

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: "pipe" });
}

function isFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOSPC";
}

/** True if `act` found the disk full. */
function findsFull(act: () => void): boolean {
  try {
    act();
    return false;
  } catch (error) {
    if (!isFull(error)) throw error;
    return true;
  }
}

async function unlessBusy(act: () => void): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return act();
    } catch (error) {
      if (tries === BUSY_TRIES || !String(error).includes("busy")) throw error;
      await delay(BUSY_PAUSE_MS);
    }
  }
}

/** A small ext4 file system in an image file, mounted through a loop device. */
export class SmallDisk {
  /** Where it is mounted. */
  readonly path: string;
  #image: string;
  #cuts = 0;
  #fills = 0;

  private constructor(image: string, path: string) {
    this.#image = image;
    this.path = path;
  }

  /** @throws Error if this machine lets nothing be mounted. */
  static create(image: string, path: string): SmallDisk {
    mkdirSync(path, { recursive: true });
    run("truncate", "-s", SIZE, image);
    // No blocks are kept for root: the agent is root.
    run("mkfs.ext4", "-q", "-F", "-m", "0", "-N", String(INODES), image);
    const disk = new SmallDisk(image, path);
    disk.#mount();
    mkdirSync(join(path, BALLAST), { recursive: true });
    return disk;
  }

  sync(): void {
    run("sync", "-f", this.path);
  }

  #mount(): void {
    run("mount", "-o", "loop", this.#image, this.path);
  }

  /** Take every block that is left. */
  fillBlocks(): void {
    for (let count = 0; ; count++) {
      const taken = findsFull(() => {
        const file = openSync(join(this.path, BALLAST, `blocks-${this.#fills++}`), "w");
        try {
          for (const piece of PIECES) while (!findsFull(() => void writeSync(file, Buffer.alloc(piece)))) count = 0;
          fsyncSync(file);
        } finally {
          closeSync(file);
        }
      });
      // Syncing may give back a block that was set aside.
      if (taken || count > 1) return;
    }
  }

  /** Take every inode that is left. */
  fillInodes(): void {
    while (!findsFull(() => closeSync(openSync(join(this.path, BALLAST, `inode-${this.#fills++}`), "w"))));
  }

  /** Give back what `fillBlocks` and `fillInodes` took. */
  empty(): void {
    for (const name of readdirSync(join(this.path, BALLAST))) rmSync(join(this.path, BALLAST, name));
    // Or a power cut would bring it all back.
    this.sync();
  }

  /** @returns False if a program keeps a file open for writing. */
  async makeReadOnly(): Promise<boolean> {
    try {
      await unlessBusy(() => run("mount", "-o", "remount,ro", this.path));
      return true;
    } catch (error) {
      if (!String(error).includes("busy")) throw error;
      return false;
    }
  }

  makeWritable(): void {
    run("mount", "-o", "remount,rw", this.path);
  }

  /**
   * From now on nothing reaches the disk, and what was not synced is lost.
   * Nothing else can be done with it until `powerOn`.
   */
  cutPower(): void {
    run("perl", "-e", SHUTDOWN, this.path);
  }

  /** All programs that use the disk must have ended. */
  async powerOn(): Promise<void> {
    await this.unmount();
    // A copy: where another mount namespace holds the old file system, it would stay shut down for ever.
    const image = `${this.path}-${++this.#cuts}.img`;
    copyFileSync(this.#image, image);
    rmSync(this.#image);
    this.#image = image;
    this.#mount();
  }

  async unmount(): Promise<void> {
    await unlessBusy(() => run("umount", this.path));
  }
}
