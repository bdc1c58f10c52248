import type { IncomingMessage } from "node:http";

/** How fast a client must send a body. */
export interface BodyPace {
  /** A client may send nothing for so long: at the start, and again once it has kept pace. */
  readonly graceMs: number;
  readonly bytesPerSecond: number;
}

/** Bodies that are read into memory: of at most a megabyte. */
export const BODY_PACE: BodyPace = { graceMs: 30_000, bytesPerSecond: 250 };
/** Artifacts, once the client has shown that it may upload: 100 MB over a slow line take a day, with pauses. */
export const UPLOAD_PACE: BodyPace = { graceMs: 300_000, bytesPerSecond: 1000 };

const uploads = new WeakSet<IncomingMessage>();

/** Applies the pace of uploads to a request: its sender may upload artifacts. */
export function expectUpload(request: IncomingMessage): void {
  uploads.add(request);
}

/**
 * Tells whether the body of one request arrives too slowly. The credit is time: elapsed time reduces it, arriving bytes
 * increase it, up to the grace.
 */
export class PaceWatch {
  readonly #request: IncomingMessage;
  #creditMs: number | undefined;
  #bytesSeen: number;

  constructor(request: IncomingMessage) {
    this.#request = request;
    this.#bytesSeen = request.socket.bytesRead;
  }

  isFor(request: IncomingMessage): boolean {
    return this.#request === request;
  }

  /** @param elapsedMs Since the last time. @param pace Of a body that is no upload. */
  isTooSlow(elapsedMs: number, pace: BodyPace): boolean {
    const { socket, readableLength, readableHighWaterMark } = this.#request;
    const { graceMs, bytesPerSecond } = uploads.has(this.#request) ? UPLOAD_PACE : pace;
    const bytes = socket.bytesRead - this.#bytesSeen;
    this.#bytesSeen = socket.bytesRead;
    // While the server itself does not read on, the client cannot send.
    if (readableLength >= readableHighWaterMark) return false;
    const credit = Math.min(graceMs, (this.#creditMs ?? graceMs) + (bytes * 1000) / bytesPerSecond);
    this.#creditMs = credit - elapsedMs;
    return this.#creditMs < 0;
  }
}
