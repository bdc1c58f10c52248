import type { Logger } from "@upkeep/shared/logging";
import type { Clock } from "@upkeep/shared/system";

/** A download tells that its device is alive at most once in so long: each time is a write. */
const TELL_EVERY_MS = 10_000;

export interface SignPorts {
  /** Notes a sign of life of the device. */
  readonly touch: (deviceId: string) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Tells that a device is alive while it takes bytes of a download. */
export class SignsOfLife {
  readonly #ports: SignPorts;
  readonly #deviceId: string;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(ports: SignPorts, deviceId: string) {
    this.#ports = ports;
    this.#deviceId = deviceId;
  }

  /** The device has taken some bytes. */
  taken(): void {
    if (this.#ports.clock.monotonic() - this.#toldMs >= TELL_EVERY_MS) this.#tell();
  }

  /** The device has taken all that it asked for. */
  ended(): void {
    this.#tell();
  }

  #tell(): void {
    const { touch, clock, logger } = this.#ports;
    this.#toldMs = clock.monotonic();
    touch(this.#deviceId).catch((error: unknown) => {
      // The download goes on: the next bytes tell the same.
      logger.warning("a sign of life of a device could not be noted", { device: this.#deviceId, error });
    });
  }
}

/** `body`, telling of each piece that is taken. */
export async function* telling<T>(body: AsyncIterable<T>, signs: SignsOfLife): AsyncGenerator<T, void, undefined> {
  for await (const piece of body) {
    yield piece;
    signs.taken();
  }
  signs.ended();
}
