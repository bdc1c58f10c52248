import { Readable } from "node:stream";
import * as z from "zod";
import { notFound } from "../errors.ts";
import { type DownloadLinks, linkedDevice } from "../releases/links.ts";
import type { Blob, BlobLink, Blobs } from "../storage/blobs/index.ts";
import type { ArtifactRecord } from "../storage/index.ts";
import { type Answer, empty, type HeaderFields } from "./answers.ts";
import { checkLink } from "./links.ts";
import { type ByteRange, type ConditionalHeaders, decideRange } from "./ranges.ts";
import { type Route, route } from "./route.ts";
import { type SignPorts, SignsOfLife, telling } from "./signs-of-life.ts";
import { Uuid } from "./validation.ts";

const PATH = "/api/devices/v1/deployments/download/artifact";

/**
 * A link to an artifact's bytes, valid for `lifeMs` milliseconds: straight to the store if clients reach it, else to this
 * server.
 * @param baseUrl URL under which the client reaches this server.
 * @param heardDevice The device that asks, if the bytes it takes count as a sign of life.
 */
export async function artifactLink(
  { links, blobs }: Pick<DownloadPorts, "links" | "blobs">,
  artifact: Pick<ArtifactRecord, "id" | "name">,
  lifeMs: number,
  baseUrl: string,
  heardDevice?: string,
): Promise<BlobLink> {
  if (blobs.direct !== undefined) {
    return await blobs.direct.downloadLink(artifact.id, { lifeMs, fileName: fileName(artifact) });
  }
  const { path, expiresMs } = links.sign(`${PATH}/${artifact.id}`, lifeMs, "GET", heardDevice);
  return { uri: baseUrl + path, expiresMs };
}

export interface DownloadPorts {
  readonly links: DownloadLinks;
  readonly blobs: Blobs;
  /** The artifact with this id, if any. */
  readonly artifact: (id: string) => Promise<ArtifactRecord | undefined>;
  readonly signs: SignPorts;
}

/** A file name that is safe in headers and shells. */
function fileName({ name }: Pick<ArtifactRecord, "name">): string {
  return `${name.replace(/[^A-Za-z0-9._+-]/g, "_").slice(0, 100)}.mender`;
}

function stream(blob: Blob, { start, end }: ByteRange, signs: SignsOfLife | undefined): Readable {
  const content = blob.read(start, end);
  // No read-ahead: each of many slow downloads holds one chunk in memory, not two.
  const body = Readable.from(signs === undefined ? content : telling(content, signs), {
    objectMode: false,
    highWaterMark: 0,
  });
  // Also when the client went away.
  body.once("close", () => {
    blob.close().catch((error: unknown) => body.emit("error", error));
  });
  return body;
}

/** Downloads of artifacts through signed links, whole or as a range, so that a broken download can resume. */
export function downloadRoutes({ links, blobs, artifact, signs }: DownloadPorts): Route[] {
  return [
    route({
      method: "GET",
      head: true,
      path: `${PATH}/:id`,
      summary: "Download an artifact by a link that was handed out",
      access: "public",
      params: z.object({ id: Uuid }),
      query: z.looseObject({}),
      headers: ["Range", "If-Range", "If-Match", "If-None-Match"],
      answers: {
        200: {
          description: "The artifact",
          mediaType: "application/vnd.mender-artifact",
          headers: ["ETag", "Accept-Ranges"],
        },
        206: {
          description: "The part of it that was asked for",
          mediaType: "application/vnd.mender-artifact",
          headers: ["ETag", "Accept-Ranges", "Content-Range"],
        },
        304: { description: "It is still what the client has", headers: ["ETag", "Accept-Ranges"] },
        403: { description: "The link is forged or has expired" },
        404: { description: "The artifact was deleted" },
        412: { description: "It is not what the client has" },
        416: { description: "It has no such part" },
      },
      handle: async ({ params, query, request }) => {
        checkLink(links, request.url, query);
        const record = await artifact(params.id);
        const blob = record === undefined ? undefined : await blobs.open(params.id);
        if (record === undefined || blob === undefined) throw notFound();
        const device = linkedDevice(query);
        const ofDevice = device === undefined ? undefined : new SignsOfLife(signs, device);
        const answer = await answerWith(record, blob, request.headers, request.method === "HEAD", ofDevice);
        if (answer.body === undefined) await blob.close();
        return answer;
      },
    }),
  ];
}

async function answerWith(
  record: ArtifactRecord,
  blob: Blob,
  headers: ConditionalHeaders,
  headOnly: boolean,
  signs: SignsOfLife | undefined,
): Promise<Answer> {
  const { sizeBytes } = blob;
  const etag = `"${record.sha256}"`;
  const validators: HeaderFields = {
    etag,
    "last-modified": new Date(record.modifiedMs).toUTCString(),
    "accept-ranges": "bytes",
    "cache-control": "private, no-transform",
  };
  // RFC 9110 defines ranges for GET only.
  const { range: _, ...unranged } = headers;
  const asked = headOnly ? unranged : headers;
  const decision = decideRange(asked, { sizeBytes, etag, modifiedMs: record.modifiedMs });
  if (decision.status === 416) return empty(416, { ...validators, "content-range": `bytes */${sizeBytes}` });
  if (!("range" in decision)) return empty(decision.status, validators);
  const { start, end } = decision.range;
  const fields: HeaderFields = {
    ...validators,
    "content-type": "application/vnd.mender-artifact",
    "content-disposition": `attachment; filename="${fileName(record)}"`,
    "content-length": String(end - start),
    ...(decision.status === 206 ? { "content-range": `bytes ${start}-${end - 1}/${sizeBytes}` } : {}),
  };
  if (headOnly) return empty(decision.status, fields);
  return { status: decision.status, headers: fields, body: { stream: stream(blob, decision.range, signs) } };
}
