import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The way to a database in another rack, in milliseconds; a round trip takes it twice. */
const ONE_WAY_MS = 1;

/** Stands before a PostgreSQL server on a Unix socket, and delays what passes. */
export class SlowProxy {
  /** As that of the server. */
  readonly url: string;
  readonly #server: Server;
  readonly #folder: string;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, folder: string, url: string) {
    this.#server = server;
    this.#folder = folder;
    this.url = url;
  }

  /** @param url `postgres://USER@FOLDER:PORT/DATABASE`, with the folder of the socket. */
  static async start(url: string): Promise<SlowProxy> {
    const [, folder = "", port = ""] = /@([^:]+):(\d+)/.exec(url) ?? [];
    const here = mkdtempSync(join(tmpdir(), "upkeep-slow-"));
    const name = `.s.PGSQL.${port}`;
    const server = createServer();
    const proxy = new SlowProxy(server, here, url.replace(folder, encodeURIComponent(here)));
    server.on("connection", (client) => proxy.#forward(client, connect(join(decodeURIComponent(folder), name))));
    server.listen(join(here, name));
    await once(server, "listening");
    return proxy;
  }

  #forward(client: Socket, database: Socket): void {
    for (const [from, to] of [
      [client, database],
      [database, client],
    ] as const) {
      this.#sockets.add(from);
      // Timers of the same length fire in the order in which they were set.
      from.on("data", (chunk) => setTimeout(() => to.write(chunk), ONE_WAY_MS));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        setTimeout(() => to.destroy(), ONE_WAY_MS);
      });
    }
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
    rmSync(this.#folder, { recursive: true });
  }
}
