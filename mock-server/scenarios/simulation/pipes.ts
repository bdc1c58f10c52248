import { SystemError } from "@upkeep/shared/system";

/** What a pipe holds before its writer has to wait, as on Linux. */
const CAPACITY_BYTES = 64 * 1024;

interface WaitingWrite {
  readonly data: Uint8Array;
  readonly done: () => void;
  readonly broken: (error: SystemError) => void;
}

/** A FIFO that is open: readers, writers and the bytes between them. */
export class Pipe {
  #readers = 0;
  #writers = 0;
  #heldBytes = 0;
  readonly #held: Uint8Array[] = [];
  readonly #writes: WaitingWrite[] = [];
  readonly #reads: ((chunk: Uint8Array | undefined) => void)[] = [];
  /** Readers whose opening waits for a first writer. */
  #opening: (() => void)[] = [];
  /** Writers whose opening waits for a first reader. */
  readonly #awaiting = new Set<() => void>();

  get isRead(): boolean {
    return this.#readers > 0;
  }

  /** Open for reading. `opened` is called once there is a writer: opening a FIFO waits for the other end. */
  addReader(opened: () => void): void {
    this.#readers++;
    if (this.#writers > 0) opened();
    else this.#opening.push(opened);
    for (const ready of [...this.#awaiting]) ready();
  }

  /** Calls `ready` once there is a reader, now or later. @returns Ends the wait. */
  onReader(ready: () => void): () => void {
    const once = (): void => {
      this.#awaiting.delete(once);
      ready();
    };
    this.#awaiting.add(once);
    if (this.#readers > 0) once();
    return () => this.#awaiting.delete(once);
  }

  addWriter(): void {
    this.#writers++;
    const waiting = this.#opening;
    this.#opening = [];
    for (const opened of waiting) opened();
  }

  removeReader(): void {
    this.#readers--;
    if (this.#readers > 0) return;
    this.#held.length = 0;
    this.#heldBytes = 0;
    for (const { broken } of this.#writes.splice(0)) broken(brokenPipe());
  }

  removeWriter(): void {
    this.#writers--;
    if (this.#writers > 0) return;
    for (const give of this.#reads.splice(0)) give(undefined);
  }

  /** `done` once all of `data` is in the pipe, `broken` when there is no reader (any more). */
  write(data: Uint8Array, done: () => void, broken: (error: SystemError) => void): void {
    if (this.#readers === 0) {
      broken(brokenPipe());
      return;
    }
    this.#writes.push({ data: data.slice(), done, broken });
    this.#move();
  }

  /** Give the next chunk, or `undefined` at the end: nothing is left and no writer either. */
  read(give: (chunk: Uint8Array | undefined) => void): void {
    if (this.#heldBytes === 0 && this.#writes.length === 0 && this.#writers === 0) {
      give(undefined);
      return;
    }
    this.#reads.push(give);
    this.#move();
  }

  #move(): void {
    for (;;) {
      const write = this.#writes[0];
      if (write !== undefined && (this.#heldBytes === 0 || this.#heldBytes + write.data.length <= CAPACITY_BYTES)) {
        this.#writes.shift();
        if (write.data.length > 0) this.#held.push(write.data);
        this.#heldBytes += write.data.length;
        write.done();
        continue;
      }
      const chunk = this.#reads.length > 0 ? this.#held.shift() : undefined;
      if (chunk === undefined) return;
      this.#heldBytes -= chunk.length;
      this.#reads.shift()?.(chunk);
    }
  }
}

function brokenPipe(): SystemError {
  return new SystemError("EPIPE", "EPIPE: broken pipe, write");
}
