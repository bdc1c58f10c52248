import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Mistakes that can be planted, to see that they are found. */
export const PLANTS = ["forgetful server", "lying agent", "no cleanup"] as const;
export type Plant = (typeof PLANTS)[number];

/** What a report of a device becomes: another body, or `undefined` for one that is acknowledged and forgotten. */
type Change = (body: string) => string | undefined;

const CHANGES: Partial<Record<Plant, Change>> = {
  "forgetful server": (body) => (/"(success|failure)"/.test(body) ? undefined : body),
  "lying agent": (body) => body.replace('"failure"', '"success"'),
};

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Stands before a server, and makes one mistake with the statuses that devices report. */
export class MistakenServer {
  readonly #change: Change;
  #target = "";
  readonly #server = createServer((incoming, outgoing) => void this.#serve(incoming, outgoing));

  constructor(change: Change) {
    this.#change = change;
  }

  static for(plant: Plant | undefined): MistakenServer | undefined {
    const change = plant === undefined ? undefined : CHANGES[plant];
    return change === undefined ? undefined : new MistakenServer(change);
  }

  /** @returns Where it listens. */
  async before(target: string): Promise<string> {
    this.#target = target;
    if (!this.#server.listening) await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    let body: Buffer | undefined = await bodyOf(incoming);
    if (incoming.method === "PUT" && incoming.url?.endsWith("/status")) {
      const changed = this.#change(body.toString());
      body = changed === undefined ? undefined : Buffer.from(changed);
    }
    if (body === undefined) {
      outgoing.writeHead(204).end();
      return;
    }
    const headers = { ...incoming.headers, "content-length": String(body.length) };
    const forwarded = request(
      new URL(incoming.url ?? "/", this.#target),
      { method: incoming.method ?? "", headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(outgoing);
      },
    );
    forwarded.on("error", () => outgoing.destroy());
    forwarded.end(body);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

export function isPlant(text: string): text is Plant {
  return (PLANTS as readonly string[]).includes(text);
}
