import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Forwards connections as they are over one link that has a bandwidth, and counts what comes down it. */
export class LinkProxy {
  /** From the server to the client. */
  downBytes = 0;
  /** Of the bytes that came down, for a listener. */
  onDown: (downBytes: number) => void = () => undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #bytesPerSecond: number;
  /** When all that was taken is through, as of `performance.now()`. */
  #freeAtMs = 0;

  private constructor(server: Server, bytesPerSecond: number) {
    this.#server = server;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** @param bytesPerSecond Downwards, shared by all connections; `Infinity`: no bound. */
  static async start(target: { readonly host: string; readonly port: number }, bytesPerSecond: number) {
    const server = createServer();
    const proxy = new LinkProxy(server, bytesPerSecond);
    server.on("connection", (client) => proxy.#forward(client, connect(target)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #forward(client: Socket, server: Socket): void {
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        if (socket === client) other.destroy();
      });
    }
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

  /** Calls `arrived` when the link has taken so many bytes more. */
  #through(bytes: number, arrived: () => void): void {
    const nowMs = performance.now();
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + (bytes / this.#bytesPerSecond) * 1000;
    const waitMs = this.#freeAtMs - nowMs;
    if (waitMs < 1) arrived();
    else setTimeout(arrived, waitMs);
  }
}
