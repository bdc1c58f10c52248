import type { Logger } from "@upkeep/shared/logging";
import type { Clock } from "@upkeep/shared/system";
import { printable } from "@upkeep/shared/text";
import type { Inventory } from "../../domain.ts";

/** Shown beside the device, in the scope `system`. */
const ATTRIBUTE = "poll_refused";
const MESSAGE_CHARACTERS_MAX = 500;
/** A device asks every few minutes, or seconds: the same refusal is told again only after this time. */
const REPEATED_AFTER_MS = 60 * 60 * 1000;
const DEVICES_MAX = 10_000;

interface Told {
  readonly message: string;
  readonly atMs: number;
}

/** Tells of polls that are refused: such a device gets no deployments until its provides are mended. */
export class PollRefusals {
  readonly #inventory: Inventory;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** By device, the oldest first. */
  readonly #told = new Map<string, Told>();

  constructor(inventory: Inventory, clock: Clock, logger: Logger) {
    this.#inventory = inventory;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** A warning in the log, and an attribute beside the device with the time and the reason. */
  tell(deviceId: string, reason: string): void {
    const message = printable(reason).slice(0, MESSAGE_CHARACTERS_MAX);
    const atMs = this.#clock.now();
    const last = this.#told.get(deviceId);
    if (last?.message === message && Math.abs(atMs - last.atMs) < REPEATED_AFTER_MS) return;
    this.#remember(deviceId, { message, atMs });
    this.#logger.warning(`a poll is refused, and the device gets no deployments: ${message}`, { device: deviceId });
    const value = `${new Date(atMs).toISOString()} ${message}`;
    this.#inventory.note(deviceId, ATTRIBUTE, value).catch((error: unknown) => {
      this.#told.delete(deviceId);
      this.#logger.error("a refused poll cannot be shown beside the device", { device: deviceId, error });
    });
  }

  #remember(deviceId: string, told: Told): void {
    this.#told.delete(deviceId);
    this.#told.set(deviceId, told);
    if (this.#told.size <= DEVICES_MAX) return;
    const [oldest] = this.#told.keys();
    if (oldest !== undefined) this.#told.delete(oldest);
  }
}
