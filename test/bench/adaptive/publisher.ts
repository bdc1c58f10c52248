import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";
import { type AdaptiveOffer, DEVICE_PATHS } from "@upkeep/shared/protocol";

/** An artifact with what an adaptive download of it needs: paths of files. */
export interface Published {
  readonly artifact: string;
  readonly index: string;
  readonly chunks: string;
}

const DEPLOYMENT = "the-deployment";
const FINAL = new Set(["success", "failure", "already-installed"]);

/**
 * The least that a server of one device needs: a deployment, and files that are read by ranges. The agent's bytes and
 * seconds do not depend on more.
 */
export class Publisher {
  /** What the device has reported. */
  readonly reports: string[] = [];
  /** The last report's figures. */
  transfer: unknown;
  /** Where the device reaches it; told before the device polls. */
  url = "";
  readonly #published: Published;
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  constructor(published: Published) {
    this.#published = published;
  }

  /** @returns Its port on this machine. */
  async start(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  get outcome(): string | undefined {
    return this.reports.find((status) => FINAL.has(status));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    if (path.startsWith("/files/")) return this.#file(path.slice("/files/".length), request, response);
    const body: Buffer[] = [];
    for await (const piece of request) body.push(piece as Buffer);
    const answer = (status: number, text = ""): void => void response.writeHead(status).end(text);
    if (path === DEVICE_PATHS.authRequests) return answer(200, "token");
    if (path === DEVICE_PATHS.status(DEPLOYMENT)) {
      const { status, adaptive } = JSON.parse(Buffer.concat(body).toString("utf8"));
      this.reports.push(status);
      this.transfer = adaptive ?? this.transfer;
      return answer(204);
    }
    if (path !== DEVICE_PATHS.nextV2 || this.outcome !== undefined) return answer(204);
    const artifact = { source: { uri: this.#link("artifact") }, adaptive: this.#offer() };
    answer(200, JSON.stringify({ id: DEPLOYMENT, artifact }));
  }

  #link(file: keyof Published): string {
    return `${this.url}/files/${file}`;
  }

  #offer(): AdaptiveOffer {
    const { artifact, index, chunks } = this.#published;
    const bytes = readFileSync(index);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return {
      artifact_size: statSync(artifact).size,
      index: { uri: this.#link("index"), size: bytes.length, sha256 },
      chunks: { uri: this.#link("chunks"), size: statSync(chunks).size },
    };
  }

  #file(name: string, { headers }: IncomingMessage, response: ServerResponse): void {
    const path = this.#published[name as keyof Published];
    const { size } = statSync(path);
    const [, from, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
    const start = Number(from ?? 0);
    const end = last ? Math.min(Number(last), size - 1) : size - 1;
    const common = { etag: `"${name}"`, "content-length": end - start + 1, "accept-ranges": "bytes" };
    if (from === undefined) response.writeHead(200, common);
    else response.writeHead(206, { ...common, "content-range": `bytes ${start}-${end}/${size}` });
    pipeline(createReadStream(path, { start, end }), response, () => undefined);
  }
}
