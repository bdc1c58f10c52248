import type { FileHandle, Files } from "@upkeep/shared/system";

/** Where a life ends: at the n-th step (from 1), before it is taken or right after. */
export interface Cut {
  readonly step: number;
  readonly side: "before" | "after";
}

/** Told the names of the steps so far: true ends the life right after the last one. */
export type EndsAfter = (names: readonly string[]) => boolean;

/**
 * One life of the program, from its start until it is killed or has ended. Every step that leaves a trace on
 * the device is counted; at the cut everything stops for ever, as when the power goes.
 */
export class Life {
  readonly #cut: Cut | undefined;
  readonly #endsAfter: EndsAfter;
  #end: () => void = () => undefined;
  #dead = false;
  steps = 0;
  readonly names: string[] = [];
  /** Resolves when it is over. */
  readonly over: Promise<"killed">;

  constructor(cut?: Cut, endsAfter: EndsAfter = () => false) {
    this.#cut = cut;
    this.#endsAfter = endsAfter;
    this.over = new Promise((resolve) => {
      this.#end = () => resolve("killed");
    });
  }

  /** Stop everything. What was being waited for never comes. */
  end(): Promise<never> {
    this.#dead = true;
    this.#end();
    return new Promise(() => undefined);
  }

  async step<T>(name: string, action: () => Promise<T>): Promise<T> {
    if (this.#dead) return await this.end();
    this.steps += 1;
    this.names.push(name);
    const here = this.#cut?.step === this.steps ? this.#cut.side : undefined;
    if (here === "before") return await this.end();
    const result = await action();
    if (here === "after" || this.#dead || this.#endsAfter(this.names)) return await this.end();
    return result;
  }

  /** For what leaves no trace: it happens, as long as there is life. */
  async still<T>(action: () => Promise<T>): Promise<T> {
    if (this.#dead) return await this.end();
    const result = await action();
    return this.#dead ? await this.end() : result;
  }
}

function mortalHandle(handle: FileHandle, path: string, life: Life): FileHandle {
  return {
    read: (buffer, position) => life.still(() => handle.read(buffer, position)),
    write: (data, position) => life.step(`write ${path}`, () => handle.write(data, position)),
    sync: () => life.step(`sync ${path}`, () => handle.sync()),
    status: () => life.still(() => handle.status()),
    close: () => life.still(() => handle.close()),
  };
}

/** Files as one life of the program sees them. */
export function mortalFiles(files: Files, life: Life): Files {
  return {
    open: async (path, mode, permissions) => {
      const open = () => files.open(path, mode, permissions);
      const handle = await (mode === "read" ? life.still(open) : life.step(`open ${path}`, open));
      return mortalHandle(handle, path, life);
    },
    status: (path) => life.still(() => files.status(path)),
    list: (path) => life.still(() => files.list(path)),
    makeDirectory: (path, permissions) => life.step(`mkdir ${path}`, () => files.makeDirectory(path, permissions)),
    rename: (from, to) => life.step(`rename ${to}`, () => files.rename(from, to)),
    remove: (path) => life.step(`remove ${path}`, () => files.remove(path)),
    setPermissions: (path, permissions) => life.step(`chmod ${path}`, () => files.setPermissions(path, permissions)),
    isExecutable: (path) => life.still(() => files.isExecutable(path)),
    realPath: (path) => life.still(() => files.realPath(path)),
    readLink: (path) => life.still(() => files.readLink(path)),
    syncFiles: (paths) => life.step(`sync ${paths.join(" ")}`, () => files.syncFiles(paths)),
    syncDirectory: (path) => life.step(`syncdir ${path}`, () => files.syncDirectory(path)),
    freeBytes: (path) => life.still(() => files.freeBytes(path)),
    makeFifos: (paths, permissions) =>
      life.step(`mkfifo ${paths.join(" ")}`, () => files.makeFifos(paths, permissions)),
    isFifoRead: (path) => life.still(() => files.isFifoRead(path)),
    openFifo: (path, signal) => life.still(() => files.openFifo(path, signal)),
  };
}
