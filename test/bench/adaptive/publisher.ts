import { createHash } from "node:crypto";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { pipeline } from "node:stream";
import { type AdaptiveOffer, type AdaptiveTransfer, DEVICE_PATHS, StatusReport } from "@upkeep/shared/protocol";
import { type Answer, json, SupportServer, status } from "../../agent/support-server/server.ts";

/** An artifact with what an adaptive download of it needs: paths of files. */
export interface Published {
  readonly artifact: string;
  readonly index: string;
  readonly chunks: string;
}

const FILES = ["artifact", "index", "chunks"] as const;
const DEPLOYMENT = "the-deployment";
const FINAL = new Set(["success", "failure", "already-installed"]);

/** A server that has one deployment for one device, with files that are read by ranges. */
export class Publisher {
  readonly #server: SupportServer;

  private constructor(server: SupportServer) {
    this.#server = server;
  }

  static async start(published: Published): Promise<Publisher> {
    const publisher = new Publisher(await SupportServer.start());
    for (const name of FILES) publisher.#server.on(`/${name}`, file(published[name]));
    return publisher;
  }

  get port(): number {
    return Number(new URL(this.#server.url).port);
  }

  /** @param url Where the device reaches this server. */
  deploy(published: Published, url: string): void {
    const artifact = { source: { uri: `${url}/artifact` }, adaptive: offerOf(published, url) };
    this.#server.on(DEVICE_PATHS.nextV2, (...asked) =>
      (this.outcome === undefined ? json({ id: DEPLOYMENT, artifact }) : status(204))(...asked),
    );
  }

  /** The final status that the device has reported. */
  get outcome(): string | undefined {
    return this.#reports.map((report) => report.status).find((one) => FINAL.has(one));
  }

  /** What the device has said last of what its download cost. */
  get transfer(): AdaptiveTransfer | undefined {
    return this.#reports.findLast(({ adaptive }) => adaptive !== undefined)?.adaptive;
  }

  get #reports(): readonly StatusReport[] {
    return this.#server.seen(DEVICE_PATHS.status(DEPLOYMENT)).map(({ body }) => StatusReport.parse(JSON.parse(body)));
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}

function offerOf({ artifact, index, chunks }: Published, url: string): AdaptiveOffer {
  const bytes = readFileSync(index);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return {
    artifact_size: statSync(artifact).size,
    index: { uri: `${url}/index`, size: bytes.length, sha256 },
    chunks: { uri: `${url}/chunks`, size: statSync(chunks).size },
  };
}

/** Serves a file, with ranges, without holding it in memory. */
function file(path: string): Answer {
  const { size } = statSync(path);
  return (response, { headers }) => {
    const [, from, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
    const start = Number(from ?? 0);
    const end = last ? Math.min(Number(last), size - 1) : size - 1;
    const ranged = from === undefined ? {} : { "content-range": `bytes ${start}-${end}/${size}` };
    response.writeHead(from === undefined ? 200 : 206, {
      etag: `"${size}"`,
      "content-length": end - start + 1,
      "accept-ranges": "bytes",
      ...ranged,
    });
    pipeline(createReadStream(path, { start, end }), response, () => undefined);
  };
}
