import { connect, type Socket } from "node:net";
import { Relay, type RelayTarget } from "./relay.ts";

/** Forwards connections as they are, counts their bytes, and cuts each after a number of bytes that have come down it. */
export class CuttingProxy extends Relay {
  /** From the server to the client. */
  downBytes = 0;
  /** From the client to the server. */
  upBytes = 0;
  connections = 0;
  cuts = 0;
  readonly #target: RelayTarget;
  readonly #cutAfterBytes: number;

  private constructor(target: RelayTarget, cutAfterBytes: number) {
    super();
    this.#target = target;
    this.#cutAfterBytes = cutAfterBytes;
  }

  /** @param cutAfterBytes Of each connection, downwards. */
  static async start(target: RelayTarget, cutAfterBytes: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target, cutAfterBytes);
    await proxy.listen();
    return proxy;
  }

  protected forward(client: Socket): void {
    const server = connect(this.#target);
    this.connections++;
    let leftBytes = this.#cutAfterBytes;
    this.keep(client, () => server.destroy());
    this.keep(server, () => client.destroy());
    client.on("data", (chunk) => {
      this.upBytes += chunk.length;
      server.write(chunk);
    });
    server.on("data", (chunk) => {
      const passed = chunk.subarray(0, leftBytes);
      leftBytes -= passed.length;
      this.downBytes += passed.length;
      const room = client.write(passed);
      if (leftBytes === 0) {
        this.cuts++;
        server.destroy();
        // What was passed on is to arrive: the connection ends behind it, in the middle of the answer.
        client.end(() => client.destroy());
      } else if (!room) {
        server.pause();
        client.once("drain", () => server.resume());
      }
    });
  }
}
