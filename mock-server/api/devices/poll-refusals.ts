import type { Logger } from "@upkeep/shared/logging";
import type { Clock } from "@upkeep/shared/system";
import { printable } from "@upkeep/shared/text";
import type { Inventory } from "../../domain.ts";
import { RecentDevices } from "./recent-devices.ts";

/** An attribute of the device in the scope `system`. */
const ATTRIBUTE = "poll_refused";
const MESSAGE_CHARACTERS_MAX = 500;
/** Devices poll every few minutes or seconds: the same refusal is logged again only after this time. */
const REPEATED_AFTER_MS = 60 * 60 * 1000;

interface Refusal {
  readonly message: string;
  readonly atMs: number;
}

/** Reports refused polls: such a device gets no deployments until it sends valid provides. */
export class PollRefusals {
  readonly #inventory: Pick<Inventory, "note" | "removeNote">;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #refused = new RecentDevices<Refusal>();

  constructor(inventory: Pick<Inventory, "note" | "removeNote">, clock: Clock, logger: Logger) {
    this.#inventory = inventory;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** True if the last poll of the device that this server saw was refused. */
  has(deviceId: string): boolean {
    return this.#refused.get(deviceId) !== undefined;
  }

  /** Logs a warning, and sets the attribute to the time and the reason. */
  refused(deviceId: string, reason: string): void {
    const message = printable(reason).slice(0, MESSAGE_CHARACTERS_MAX);
    const atMs = this.#clock.now();
    const last = this.#refused.get(deviceId);
    if (last?.message === message && Math.abs(atMs - last.atMs) < REPEATED_AFTER_MS) return;
    this.#refused.set(deviceId, { message, atMs });
    this.#logger.warning(`a poll is refused, and the device gets no deployments: ${message}`, { device: deviceId });
    const value = `${new Date(atMs).toISOString()} ${message}`;
    this.#inventory.note(deviceId, ATTRIBUTE, value).catch((error: unknown) => {
      this.#refused.delete(deviceId);
      this.#logger.error("a refused poll cannot be shown beside the device", { device: deviceId, error });
    });
  }

  /** The device polls well: removes the attribute. */
  accepted(deviceId: string): void {
    if (!this.#refused.delete(deviceId)) return;
    this.#inventory.removeNote(deviceId, ATTRIBUTE).catch((error: unknown) => {
      this.#logger.error("a refused poll is still shown beside a device that polls well", { device: deviceId, error });
    });
  }
}
