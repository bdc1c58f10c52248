import type { EventRecord, Storage } from "../storage/index.ts";

/** The kinds of objects whose changes are events. */
export const EVENT_KINDS = [
  "device",
  "auth_set",
  "inventory",
  "artifact",
  "release",
  "deployment",
  "device_deployment",
  "deployment_log",
  "filter",
  "configuration",
  "user",
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** A committed change. */
export interface ChangeEvent {
  /** Grows in the order of the changes. */
  readonly number: number;
  readonly kind: string;
  readonly action: "created" | "changed" | "deleted";
  /** The id of the changed object; of a device deployment, the id of the deployment. */
  readonly subject: string;
  /** A related device or name. */
  readonly related?: string;
  /** The status after the change. */
  readonly status?: string;
}

/** The log of all changes, without the oldest ones. */
export class Events {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** The number of the last event; 0 if there is none. */
  async last(): Promise<number> {
    await this.#storage.fold();
    return await this.#storage.read(async ({ events }) => (await events.extent())?.newest ?? 0);
  }

  /** True if all events after `number` are still in the log. */
  async reaches(number: number): Promise<boolean> {
    await this.#storage.fold();
    return await this.#storage.read(async ({ events }) => {
      const extent = await events.extent();
      return extent === undefined ? number === 0 : number >= extent.oldest - 1 && number <= extent.newest;
    });
  }

  /** The first `limit` events after `number`, in order. */
  async after(number: number, limit: number): Promise<readonly ChangeEvent[]> {
    await this.#storage.fold();
    return await this.#storage.read(async ({ events }) => (await events.after(number, limit)).map(present));
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
