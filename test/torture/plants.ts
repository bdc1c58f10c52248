import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Mistakes that can be planted, to see that they are found. */
export const PLANTS = ["forgetful server", "idle module", "no cleanup"] as const;
export type Plant = (typeof PLANTS)[number];

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Stands before a server: final statuses are acknowledged, and forgotten. */
export class ForgetfulServer {
  #target = "";
  readonly #server = createServer((incoming, outgoing) => void this.#serve(incoming, outgoing));

  /** @returns Where it listens. */
  async before(target: string): Promise<string> {
    this.#target = target;
    if (!this.#server.listening) await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await bodyOf(incoming);
    const reports = incoming.method === "PUT" && incoming.url?.endsWith("/status");
    if (reports && /"(success|failure)"/.test(body.toString())) {
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
