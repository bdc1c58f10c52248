import type { Clock } from "@upkeep/shared/system";
import type { DeviceRecord, Storage } from "../storage/index.ts";
import { portions } from "../storage/paging.ts";

/** The last contact of a device: any request with its token, or for one. */
export interface LastContact {
  readonly lastContactMs?: number;
  /** Accepted, and its last contact was too long ago. */
  readonly overdue: boolean;
}

/** Devices per statement. */
const BATCH = 500;

/**
 * The last contacts of devices. They are written in batches: most polls write nothing else, and must stay fast. A
 * server that is killed loses those since the last {@link flush}, and other servers see them after it.
 */
export class Contacts {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #overdueAfterMs: number;
  /** Contacts that are not written yet, by device. */
  readonly #unwritten = new Map<string, number>();

  constructor(storage: Storage, clock: Clock, overdueAfterMs: number) {
    this.#storage = storage;
    this.#clock = clock;
    this.#overdueAfterMs = overdueAfterMs;
  }

  note(deviceId: string): void {
    this.#unwritten.set(deviceId, this.#clock.now());
  }

  of({ id, status, contact_ms, check_in_ms }: ContactedDevice): LastContact {
    const lastMs = this.#unwritten.get(id) ?? Math.max(contact_ms ?? 0, check_in_ms ?? 0);
    if (lastMs === 0) return { overdue: false };
    const overdue = status === "accepted" && this.#clock.now() - lastMs > this.#overdueAfterMs;
    return { lastContactMs: lastMs, overdue };
  }

  /** Writes the contacts since the last call. Call it periodically, and before the records are closed. */
  async flush(): Promise<void> {
    for (const some of portions([...this.#unwritten], BATCH)) {
      await this.#storage.transaction(({ devices }) => devices.contacted(some));
      for (const [id, ms] of some) if (this.#unwritten.get(id) === ms) this.#unwritten.delete(id);
    }
  }
}

type ContactedDevice = Pick<DeviceRecord, "id" | "status" | "contact_ms" | "check_in_ms">;
