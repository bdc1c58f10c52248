import { Readable } from "node:stream";
import * as z from "zod";
import { notFound } from "../errors.ts";
import { type DownloadLinks, linkedDevice } from "../releases/links.ts";
import type { Blob, BlobLink, Blobs } from "../storage/blobs/index.ts";
import type { ArtifactIndex, ArtifactRecord, NoIndex } from "../storage/index.ts";
import { type Answer, empty, type HeaderFields } from "./answers.ts";
import { checkLink } from "./links.ts";
import { type ByteRange, type ConditionalHeaders, decideRange } from "./ranges.ts";
import { type ApiRequest, type Route, route } from "./route.ts";
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

/** The parts of an index, which are named in paths. */
const INDEX_PARTS = ["index", "chunks"] as const;
type IndexPart = (typeof INDEX_PARTS)[number];

/** A link to the index of an artifact or to its chunks, as {@link artifactLink} makes one. */
export async function indexLink(
  { links, blobs }: Pick<DownloadPorts, "links" | "blobs">,
  artifact: Pick<ArtifactRecord, "id" | "name">,
  part: { readonly name: IndexPart; readonly blob: string },
  lifeMs: number,
  baseUrl: string,
  heardDevice?: string,
): Promise<BlobLink> {
  if (blobs.direct !== undefined) {
    return await blobs.direct.downloadLink(part.blob, { lifeMs, fileName: `${fileName(artifact)}.${part.name}` });
  }
  const { path, expiresMs } = links.sign(`${PATH}/${artifact.id}/${part.name}`, lifeMs, "GET", heardDevice);
  return { uri: baseUrl + path, expiresMs };
}

export interface DownloadPorts {
  readonly links: DownloadLinks;
  readonly blobs: Blobs;
  /** The artifact with this id, if any. */
  readonly artifact: (id: string) => Promise<ArtifactRecord | undefined>;
  /** Its index, if any. */
  readonly index: (id: string) => Promise<ArtifactIndex | NoIndex | undefined>;
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

/** The answers to a request for a stored object. */
function answersOf(mediaType: string) {
  return {
    200: { description: "All of it", mediaType, headers: ["ETag", "Accept-Ranges"] },
    206: {
      description: "The part of it that was asked for",
      mediaType,
      headers: ["ETag", "Accept-Ranges", "Content-Range"],
    },
    304: { description: "It is still what the client has", headers: ["ETag", "Accept-Ranges"] },
    403: { description: "The link is forged or has expired" },
    404: { description: "The artifact was deleted" },
    412: { description: "It is not what the client has" },
    416: { description: "It has no such part" },
  } as const;
}

const ARTIFACT_TYPE = "application/vnd.mender-artifact";
const INDEX_TYPE = "application/octet-stream";

/**
 * Downloads of artifacts, their indexes and chunks through signed links, whole or as a range, so that a broken download
 * can resume.
 */
export function downloadRoutes({ links, blobs, artifact, index, signs }: DownloadPorts): Route[] {
  /** @param object The object with its blob; `undefined` if there is none. */
  const download = async (
    { query, request }: { readonly query: Readonly<Record<string, unknown>>; readonly request: ApiRequest },
    object: (StoredObject & { readonly blob: string }) | undefined,
  ): Promise<Answer> => {
    const blob = object === undefined ? undefined : await blobs.open(object.blob);
    if (object === undefined || blob === undefined) throw notFound();
    const device = linkedDevice(query);
    const ofDevice = device === undefined ? undefined : new SignsOfLife(signs, device);
    const answer = await answerWith(object, blob, request.headers, request.method === "HEAD", ofDevice);
    if (answer.body === undefined) await blob.close();
    return answer;
  };
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
      answers: answersOf(ARTIFACT_TYPE),
      handle: async (call) => {
        checkLink(links, call.request.url, call.query);
        const record = await artifact(call.params.id);
        if (record === undefined) throw notFound();
        const { id, sha256, modifiedMs } = record;
        return await download(call, {
          blob: id,
          etag: sha256,
          modifiedMs,
          mediaType: ARTIFACT_TYPE,
          fileName: fileName(record),
        });
      },
    }),
    route({
      method: "GET",
      head: true,
      path: `${PATH}/:id/:part`,
      summary: "Download the index of an artifact, or its chunks, by a link that was handed out",
      access: "public",
      params: z.object({ id: Uuid, part: z.enum(INDEX_PARTS) }),
      query: z.looseObject({}),
      headers: ["Range", "If-Range", "If-Match", "If-None-Match"],
      answers: answersOf(INDEX_TYPE),
      handle: async (call) => {
        checkLink(links, call.request.url, call.query);
        const { id, part } = call.params;
        const record = await artifact(id);
        const made = await index(id);
        if (record === undefined || made === undefined || "fault" in made) throw notFound();
        // An index is never changed: a new one has new blobs.
        return await download(call, {
          blob: made[part].blob,
          etag: made[part].blob,
          modifiedMs: record.modifiedMs,
          mediaType: INDEX_TYPE,
          fileName: `${fileName(record)}.${part}`,
        });
      },
    }),
  ];
}

/** What is stored as a blob, as the headers of an answer describe it. */
interface StoredObject {
  /** Strong, without its quotes. */
  readonly etag: string;
  readonly modifiedMs: number;
  readonly mediaType: string;
  readonly fileName: string;
}

async function answerWith(
  object: StoredObject,
  blob: Blob,
  headers: ConditionalHeaders,
  headOnly: boolean,
  signs: SignsOfLife | undefined,
): Promise<Answer> {
  const { sizeBytes } = blob;
  const etag = `"${object.etag}"`;
  const validators: HeaderFields = {
    etag,
    "last-modified": new Date(object.modifiedMs).toUTCString(),
    "accept-ranges": "bytes",
    "cache-control": "private, no-transform",
  };
  // RFC 9110 defines ranges for GET only.
  const { range: _, ...unranged } = headers;
  const asked = headOnly ? unranged : headers;
  const decision = decideRange(asked, { sizeBytes, etag, modifiedMs: object.modifiedMs });
  if (decision.status === 416) return empty(416, { ...validators, "content-range": `bytes */${sizeBytes}` });
  if (!("range" in decision)) return empty(decision.status, validators);
  const { start, end } = decision.range;
  const fields: HeaderFields = {
    ...validators,
    "content-type": object.mediaType,
    "content-disposition": `attachment; filename="${object.fileName}"`,
    "content-length": String(end - start),
    ...(decision.status === 206 ? { "content-range": `bytes ${start}-${end - 1}/${sizeBytes}` } : {}),
  };
  if (headOnly) return empty(decision.status, fields);
  return { status: decision.status, headers: fields, body: { stream: stream(blob, decision.range, signs) } };
}
