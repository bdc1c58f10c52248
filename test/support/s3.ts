import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signatureFault } from "./signature-v4.ts";

/** The parts of s3rver that are used here; it has no types of its own. */
interface S3rver {
  configureBuckets(): Promise<unknown>;
  callback(): (request: IncomingMessage, response: ServerResponse) => unknown;
}
type S3rverConstructor = new (options: {
  readonly directory: string;
  readonly silent: boolean;
  readonly configureBuckets: readonly { readonly name: string; readonly configs: readonly string[] }[];
}) => S3rver;

export const BUCKET = "artifacts";
/** The only ones that s3rver knows. */
export const S3_KEYS = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" } as const;

export interface S3Request {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface RunningS3 {
  readonly endpoint: string;
  /** Everything that was asked, in its order. */
  readonly requests: readonly S3Request[];
  /** Answer some requests otherwise than the store would: return true for those that were answered. */
  answerInstead(answer: (request: IncomingMessage, response: ServerResponse) => boolean): void;
  stop(): Promise<void>;
}

/** A store that speaks S3, with one empty bucket. */
export async function startS3(): Promise<RunningS3> {
  const Constructor: S3rverConstructor = createRequire(import.meta.url)("s3rver");
  const directory = mkdtempSync(join(tmpdir(), "upkeep-s3-"));
  const store = new Constructor({ directory, silent: true, configureBuckets: [{ name: BUCKET, configs: [] }] });
  await store.configureBuckets();
  const answer = store.callback();
  const requests: S3Request[] = [];
  let instead: Parameters<RunningS3["answerInstead"]>[0] = () => false;
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    requests.push({ method, url, headers });
    if (instead(request, response)) return;
    const fault = signatureFault(request, S3_KEYS, Date.now());
    // Uploads that are given up s3rver does not know.
    const given = method === "DELETE" && url.includes("uploadId=");
    if (fault === undefined && !given) return void answer(request, response);
    request.resume();
    response.writeHead(fault === undefined ? 204 : 403, { "content-type": "application/xml" });
    response.end(fault === undefined ? "" : `<Error><Code>${fault}</Code><Message>refused</Message></Error>`);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answerInstead: (other) => {
      instead = other;
    },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      rmSync(directory, { recursive: true });
    },
  };
}
