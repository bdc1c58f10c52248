import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Relay } from "./relay.ts";

/** The way to a database in another rack, in milliseconds; a round trip takes it twice. */
const ONE_WAY_MS = 1;

/** Stands before a PostgreSQL server on a Unix socket, and delays what passes. */
export class SlowProxy extends Relay {
  readonly #database: string;
  readonly #folder: string;
  readonly #url: string;

  /** @param database The path of the server's socket. */
  private constructor(database: string, folder: string, url: string) {
    super();
    this.#database = database;
    this.#folder = folder;
    this.#url = url;
  }

  /** As that of the server. */
  override get url(): string {
    return this.#url;
  }

  /** @param url `postgres://USER@FOLDER:PORT/DATABASE`, with the folder of the socket. */
  static async start(url: string): Promise<SlowProxy> {
    const [, folder = "", port = ""] = /@([^:]+):(\d+)/.exec(url) ?? [];
    const here = mkdtempSync(join(tmpdir(), "upkeep-slow-"));
    const name = `.s.PGSQL.${port}`;
    const database = join(decodeURIComponent(folder), name);
    const proxy = new SlowProxy(database, here, url.replace(folder, encodeURIComponent(here)));
    await proxy.listen(join(here, name));
    return proxy;
  }

  protected forward(client: Socket): void {
    const database = connect(this.#database);
    for (const [from, to] of [
      [client, database],
      [database, client],
    ] as const) {
      this.keep(from, () => void setTimeout(() => to.destroy(), ONE_WAY_MS));
      // Timers of the same length fire in the order in which they were set.
      from.on("data", (chunk) => setTimeout(() => to.write(chunk), ONE_WAY_MS));
    }
  }

  override async stop(): Promise<void> {
    await super.stop();
    rmSync(this.#folder, { recursive: true });
  }
}
