import { connect, type Socket } from "node:net";
import { Relay, type RelayTarget } from "./relay.ts";

/** Forwards connections as they are over one link that has a bandwidth, and counts what comes down it. */
export class LinkProxy extends Relay {
  /** From the server to the client. */
  downBytes = 0;
  /** Called with {@link downBytes} when more have come down. */
  onDown: (downBytes: number) => void = () => undefined;
  readonly #target: RelayTarget;
  readonly #bytesPerSecond: number;
  /** When all bytes on the link are through, as of `performance.now()`. */
  #freeAtMs = 0;

  private constructor(target: RelayTarget, bytesPerSecond: number) {
    super();
    this.#target = target;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** @param bytesPerSecond Downwards, shared by all connections; `Infinity`: no bound. */
  static async start(target: RelayTarget, bytesPerSecond: number): Promise<LinkProxy> {
    const proxy = new LinkProxy(target, bytesPerSecond);
    await proxy.listen();
    return proxy;
  }

  protected forward(client: Socket): void {
    const server = connect(this.#target);
    this.keep(client, () => server.destroy());
    this.keep(server, () => undefined);
    client.pipe(server);
    // The last piece may wait for the link when the server has closed already.
    let pending = 0;
    let hasEnded = false;
    const endIfDone = (): void => {
      if (hasEnded && pending === 0) client.end();
    };
    server.on("end", () => {
      hasEnded = true;
      endIfDone();
    });
    server.on("data", (piece: Buffer) => {
      pending += 1;
      server.pause();
      this.#through(piece.length, () => {
        pending -= 1;
        if (client.destroyed) return;
        this.downBytes += piece.length;
        const hasRoom = client.write(piece);
        this.onDown(this.downBytes);
        if (hasRoom) server.resume();
        else client.once("drain", () => server.resume());
        endIfDone();
      });
    });
  }

  /** Takes bytes onto the link. @param arrived Called when the last of them is through. */
  #through(bytes: number, arrived: () => void): void {
    const nowMs = performance.now();
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + (bytes / this.#bytesPerSecond) * 1000;
    const waitMs = this.#freeAtMs - nowMs;
    if (waitMs < 1) arrived();
    else setTimeout(arrived, waitMs);
  }
}
