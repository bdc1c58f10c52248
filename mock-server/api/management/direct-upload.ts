import { given } from "@upkeep/shared/given";
import { optional, recordOf } from "@upkeep/shared/protocol";
import type { System } from "@upkeep/shared/system";
import * as z from "zod";
import type { ArtifactRecord, Domain } from "../../domain.ts";
import { DomainError } from "../../errors.ts";
import { type CompletePorts, completeUpload, keepUpload, waitingName } from "../../releases/direct-upload.ts";
import type { DownloadLinks } from "../../releases/links.ts";
import type { Blobs } from "../../storage/blobs/index.ts";
import { expectUpload } from "../../system/body-pace.ts";
import { empty, json } from "../answers.ts";
import { checkLink } from "../links.ts";
import { type Route, route } from "../route.ts";
import { fields, ignored, Uuid } from "../validation.ts";
import { timestamp } from "./times.ts";

const PATH = "/api/management/v1/deployments/artifacts/directupload";
/** Validity of upload links, in milliseconds. */
const LINK_LIFE_MS = 60 * 60 * 1000;

export interface DirectUploadPorts {
  readonly system: System;
  readonly domain: Domain;
  readonly blobs: Blobs;
  readonly links: DownloadLinks;
}

const ArtifactId = z.object({ id: Uuid });

const UploadLink = z.object({
  id: z.string(),
  uri: z.string(),
  expire: z.string(),
  method: z.literal("PUT"),
  header: recordOf(z.string()),
});

/** The server reads everything but the size from the artifact itself. */
const Complete = fields({
  size: optional(z.int().nonnegative()),
  updates: ignored("the artifact itself says what is in it"),
});

/** Uploads straight to the store; the server checks an artifact when its upload is complete. */
export function directUploadRoutes({ system, domain, blobs, links }: DirectUploadPorts): Route[] {
  const { artifacts } = domain;
  const ports: CompletePorts = {
    system,
    blobs,
    record: (artifact: ArtifactRecord) => artifacts.insert(artifact),
    isArtifact: async (id) => {
      try {
        return (await artifacts.get(id)).id === id;
      } catch (error) {
        if (error instanceof DomainError && error.kind === "not-found") return false;
        throw error;
      }
    },
  };
  return [
    route({
      method: "POST",
      path: PATH,
      summary: "Get a link to which an artifact can be uploaded for an hour",
      access: "user",
      permission: "upload",
      answers: { 200: { description: "The id that the artifact will have, and where to put it", schema: UploadLink } },
      handle: async ({ baseUrl }) => {
        const id = system.random.uuid();
        const own = links.sign(`${PATH}/${id}`, LINK_LIFE_MS, "PUT");
        const { uri, expiresMs } = (await blobs.direct?.uploadLink(waitingName(id), LINK_LIFE_MS)) ?? {
          uri: baseUrl + own.path,
          expiresMs: own.expiresMs,
        };
        return json({ id, uri, expire: timestamp(expiresMs), method: "PUT", header: {} });
      },
    }),
    route({
      method: "PUT",
      path: `${PATH}/:id`,
      summary: "Upload an artifact by a link that was handed out",
      access: "public",
      params: ArtifactId,
      query: z.looseObject({}),
      body: { bytes: "The artifact" },
      answers: {
        200: { description: "Kept until it is said to be complete" },
        403: { description: "The link is forged or has expired" },
        409: { description: "Another client is uploading it" },
        413: { description: "It is too large" },
        507: { description: "There is no space left" },
      },
      handle: async ({ params, query, request }) => {
        try {
          checkLink(links, request.url, query, "PUT");
          expectUpload(request.raw);
          await keepUpload(params.id, request.raw.iterator({ destroyOnReturn: false }), { blobs });
        } finally {
          // Some clients read the answer only after they have sent the whole body.
          request.raw.resume();
        }
        return empty(200);
      },
    }),
    route({
      method: "POST",
      path: `${PATH}/:id/complete`,
      summary: "Say that an artifact is uploaded: it is checked, and is there when this is answered",
      access: "user",
      permission: "upload",
      params: ArtifactId,
      body: { schema: Complete, tooLarge: 413, absent: {} },
      answers: {
        202: { description: "The artifact is there" },
        400: { description: "It is no artifact, or not as long as was said; nothing of it is kept" },
        404: { description: "Nothing was uploaded to this link" },
        409: { description: "There is one with the same name and depends" },
        413: { description: "It is too large" },
        507: { description: "There is no space left" },
      },
      handle: async ({ params, body }) => {
        const { size } = body;
        await completeUpload({ id: params.id, ...given({ sizeBytes: size }) }, ports);
        return empty(202);
      },
    }),
  ];
}
