import type { EventRecord, Storage } from "../storage/index.ts";

/** Something that changed, for good. */
export interface ChangeEvent {
  /** Grows in the order of the changes. */
  readonly number: number;
  readonly kind: string;
  readonly action: "created" | "changed" | "deleted";
  /** Id of what changed: of the deployment, for what a device makes of it. */
  readonly subject: string;
  /** The device, or the name, that it is about besides. */
  readonly related?: string;
  /** Since the change. */
  readonly status?: string;
}

/** Everything that changes. Of the oldest events nothing is known any more. */
export class Events {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** The number of the last event; 0 if there was none. */
  last(): Promise<number> {
    return this.#storage.read(async ({ events }) => (await events.extent())?.newest ?? 0);
  }

  /** True if every event behind `number` is still known. */
  reaches(number: number): Promise<boolean> {
    return this.#storage.read(async ({ events }) => {
      const extent = await events.extent();
      return extent === undefined ? number === 0 : number >= extent.oldest - 1 && number <= extent.newest;
    });
  }

  /** The first so many events behind `number`, in their order. */
  after(number: number, limit: number): Promise<readonly ChangeEvent[]> {
    return this.#storage.read(async ({ events }) => (await events.after(number, limit)).map(present));
  }
}

function present({ number, kind, action, subject, related, status }: EventRecord): ChangeEvent {
  return {
    number,
    kind,
    action,
    subject,
    ...(related === null ? {} : { related }),
    ...(status === null ? {} : { status }),
  };
}
