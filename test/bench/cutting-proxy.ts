import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Forwards connections as they are, counts their bytes, and cuts each when so many have come down it. */
export class CuttingProxy {
  /** From the server to the client. */
  downBytes = 0;
  /** From the client to the server. */
  upBytes = 0;
  connections = 0;
  cuts = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param cutAfterBytes Of each connection, downwards. */
  static async start(target: { readonly host: string; readonly port: number }, cutAfterBytes: number) {
    const server = createServer();
    const proxy = new CuttingProxy(server);
    server.on("connection", (client) => proxy.#forward(client, connect(target), cutAfterBytes));
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

  #forward(client: Socket, server: Socket, cutAfterBytes: number): void {
    this.connections++;
    let leftBytes = cutAfterBytes;
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      // What the other end makes of a broken connection is its own business.
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
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
