import type { Logger } from "@upkeep/shared/logging";
import type { Clock } from "@upkeep/shared/system";
import { RecentDevices } from "./recent-devices.ts";

export interface LeftOutLogPorts {
  readonly logger: Logger;
  readonly clock: Clock;
}

const LINES_PER_MINUTE = 60;
const MINUTE_MS = 60_000;
/** Attributes that a line names. */
const NAMED_MAX = 20;

/** Tells the log what is left out of inventories: of each device once, until it changes, and at a bounded rate. */
export class LeftOutLog {
  readonly #ports: LeftOutLogPorts;
  /** The last line logged for each device. */
  readonly #told = new RecentDevices<string>();
  #minuteMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #notLogged = 0;

  constructor(ports: LeftOutLogPorts) {
    this.#ports = ports;
  }

  tell(deviceId: string, leftOut: readonly string[]): void {
    if (leftOut.length === 0) {
      this.#told.delete(deviceId);
      return;
    }
    const text = leftOut.slice(0, NAMED_MAX).join("\n");
    if (this.#told.get(deviceId) === text || !this.#mayWrite()) return;
    this.#told.set(deviceId, text);
    this.#ports.logger.warning(`inventory of device ${deviceId}: ${leftOut.length} attributes are left out`, {
      left_out: leftOut.slice(0, NAMED_MAX),
      ...(this.#notLogged === 0 ? {} : { devices_not_logged: this.#notLogged }),
    });
    this.#notLogged = 0;
  }

  #mayWrite(): boolean {
    const now = this.#ports.clock.monotonic();
    if (now - this.#minuteMs >= MINUTE_MS) {
      this.#minuteMs = now;
      this.#lines = 0;
    }
    this.#lines += 1;
    if (this.#lines <= LINES_PER_MINUTE) return true;
    this.#notLogged += 1;
    return false;
  }
}
