import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** Accepts connections, and forwards each over another one: what proxies of the bench have in common. */
export abstract class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  protected constructor() {
    this.#server = createServer((client) => this.forward(client));
  }

  /** Makes the other connection, and lets data pass. */
  protected abstract forward(client: Socket): void;

  /** @param at The path of a Unix socket. Absent: a free port of this machine. */
  protected async listen(at?: string): Promise<void> {
    if (at === undefined) this.#server.listen(0, "127.0.0.1");
    else this.#server.listen(at);
    await once(this.#server, "listening");
  }

  /** Where a relay on a port is reached. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A socket is closed when the relay stops. @param closed Called when it is closed. */
  protected keep(socket: Socket, closed: () => void): void {
    this.#sockets.add(socket);
    // What the other end makes of a broken connection is its own business.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      closed();
    });
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** Where a relay connects to. */
export interface RelayTarget {
  readonly host: string;
  readonly port: number;
}
