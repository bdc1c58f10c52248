import type { System } from "@upkeep/shared/system";
import type { FastifyRequest } from "fastify";
import type { Domain } from "../../domain.ts";
import { invalid } from "../../errors.ts";
import { boundaryOf, readParts, readTextPart } from "../../releases/multipart.ts";
import { takeArtifact } from "../../releases/upload.ts";
import type { Blobs } from "../../storage/blobs/index.ts";
import { created } from "../answers.ts";
import { HttpError } from "../errors.ts";
import { type Route, route } from "../route.ts";
import { Uuid, validated } from "../validation.ts";

const TEXT_BYTES_MAX = 1024 * 1024;
const DESCRIPTION_CHARACTERS_MAX = 4096;
const SIZE_CHARACTERS_MAX = 20;

export interface UploadRoutePorts {
  readonly system: System;
  readonly domain: Domain;
  readonly blobs: Blobs;
}

/** What comes before the artifact in an upload. */
interface Fields {
  description: string;
  sizeBytes?: number;
  id?: string;
}

function parseSize(text: string): number | undefined {
  if (!/^\d+$/.test(text) || text.length > SIZE_CHARACTERS_MAX || !Number.isSafeInteger(Number(text))) {
    throw invalid(`size: must be a whole number of bytes (got ${JSON.stringify(text.slice(0, 80))})`);
  }
  // 0 stands for a size that the sender does not know.
  return Number(text) === 0 ? undefined : Number(text);
}

function setField(fields: Fields, name: string, text: string): void {
  if (text.includes("\0")) throw invalid(`${name}: has a NUL character`);
  switch (name) {
    case "description":
      if (text.length > DESCRIPTION_CHARACTERS_MAX) {
        throw invalid(`description: must have at most ${DESCRIPTION_CHARACTERS_MAX} characters, not ${text.length}`);
      }
      fields.description = text;
      return;
    case "size": {
      const size = parseSize(text);
      if (size !== undefined) fields.sizeBytes = size;
      return;
    }
    case "artifact_id":
      fields.id = validated(Uuid, text, "artifact_id");
      return;
  }
}

/** Read the parts in their order, up to the artifact; what comes behind it is not looked at. */
async function takeUpload(request: FastifyRequest["raw"], boundary: string, ports: UploadRoutePorts): Promise<string> {
  const fields: Fields = { description: "" };
  const incoming = request.iterator({ destroyOnReturn: false });
  for await (const part of readParts(incoming, boundary)) {
    if (part.name !== "artifact") {
      if (["description", "size", "artifact_id"].includes(part.name)) {
        setField(fields, part.name, await readTextPart(part, TEXT_BYTES_MAX));
      }
      continue;
    }
    const { description, sizeBytes, id } = fields;
    return await takeArtifact(
      {
        content: part.content,
        description,
        ...(sizeBytes === undefined ? {} : { sizeBytes }),
        ...(id === undefined ? {} : { id }),
      },
      {
        system: ports.system,
        blobs: ports.blobs,
        record: (artifact) => ports.domain.artifacts.insert(artifact),
      },
    );
  }
  throw invalid("request does not contain the artifact file");
}

/** Artifacts come in as multipart bodies and are read while they arrive. */
export function uploadRoutes(ports: UploadRoutePorts): Route[] {
  const path = "/api/management/v1/deployments/artifacts";
  return [
    route({
      method: "POST",
      path,
      summary: "Upload an artifact",
      access: "user",
      permission: "upload",
      body: {
        parts: {
          description: { description: `At most ${DESCRIPTION_CHARACTERS_MAX} characters` },
          size: { description: "Bytes of the artifact; 0: as many as come" },
          artifact_id: { description: "The id that it is to have" },
          artifact: { description: "The artifact; the last part that is read", required: true, file: true },
        },
      },
      answers: {
        201: { description: "Taken; Location names it" },
        400: { description: "It is no artifact, or not the size that was announced; nothing of it is kept" },
        409: { description: "There is one with the same name and depends" },
        413: { description: "It is too large" },
        415: { description: "The body is not multipart" },
        507: { description: "There is no space left" },
      },
      handle: async ({ request }) => {
        const boundary = boundaryOf(request.headers["content-type"]);
        if (boundary === undefined) {
          throw new HttpError(415, "Bad Content-Type, expected 'multipart/form-data' or 'multipart/mixed'");
        }
        try {
          return created(`${path}/${await takeUpload(request.raw, boundary, ports)}`);
        } finally {
          // Some clients read no answer before they have sent everything; drop what still comes.
          request.raw.resume();
        }
      },
    }),
  ];
}
