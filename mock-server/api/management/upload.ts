import type { System } from "@upkeep/shared/system";
import * as z from "zod";
import type { ArtifactRecord, Domain } from "../../domain.ts";
import { invalid } from "../../errors.ts";
import { generateArtifact } from "../../releases/generate.ts";
import type { Part } from "../../releases/multipart.ts";
import { takeArtifact } from "../../releases/upload.ts";
import type { Blobs } from "../../storage/blobs/index.ts";
import { created } from "../answers.ts";
import { parseJson } from "../bodies.ts";
import { type Route, route } from "../route.ts";
import { fields, Uuid, validated } from "../validation.ts";
import { parseSize, withParts } from "./multipart-request.ts";

const PATH = "/api/management/v1/deployments/artifacts";
const DESCRIPTION_CHARACTERS_MAX = 4096;

export interface UploadRoutePorts {
  readonly system: System;
  readonly domain: Domain;
  readonly blobs: Blobs;
}

type Texts = ReadonlyMap<string, string>;

function descriptionOf(texts: Texts): string {
  const description = texts.get("description") ?? "";
  if (description.length <= DESCRIPTION_CHARACTERS_MAX) return description;
  throw invalid(`description: must have at most ${DESCRIPTION_CHARACTERS_MAX} characters, not ${description.length}`);
}

function sizeOf(texts: Texts): { readonly sizeBytes?: number } {
  const size = texts.get("size");
  const sizeBytes = size === undefined ? undefined : parseSize(size);
  return sizeBytes === undefined ? {} : { sizeBytes };
}

/** Where the file of a single-file artifact goes on the device. */
const Destination = fields({
  filename: z.string().min(1),
  dest_dir: z.string().regex(/^\/[^\p{Cc}]*$/u, "must be an absolute path"),
});

async function generate(texts: Texts, file: Part, ports: Parameters<typeof generateArtifact>[1]): Promise<string> {
  const text = (name: string): string => {
    const value = texts.get(name);
    if (value === undefined || value === "") throw invalid(`${name}: cannot be blank`);
    return value;
  };
  if (text("type") !== "single_file")
    throw invalid(`type: must be single_file, not ${JSON.stringify(text("type").slice(0, 80))}`);
  const destination = validated(Destination, parseJson(Buffer.from(text("args"))), "args");
  return await generateArtifact(
    {
      artifactName: text("name"),
      description: descriptionOf(texts),
      deviceTypes: text("device_types_compatible")
        .split(",")
        .map((type) => type.trim())
        .filter((type) => type !== ""),
      destination: destination.dest_dir,
      fileName: destination.filename,
      content: file.content,
      ...sizeOf(texts),
    },
    ports,
  );
}

/** Artifacts come in as multipart bodies and are read while they arrive. */
export function uploadRoutes({ system, domain, blobs }: UploadRoutePorts): Route[] {
  const ports = { system, blobs, record: (artifact: ArtifactRecord) => domain.artifacts.insert(artifact) };
  return [
    route({
      method: "POST",
      path: PATH,
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
        201: { description: "Taken; Location names it", headers: ["Location"] },
        400: { description: "It is no artifact, or not the size that was announced; nothing of it is kept" },
        409: { description: "There is one with the same name and depends" },
        413: { description: "It is too large" },
        415: { description: "The body is not multipart" },
        507: { description: "There is no space left" },
      },
      handle: async ({ request }) => {
        const id = await withParts(request, {
          texts: ["description", "size", "artifact_id"],
          file: "artifact",
          missing: "request does not contain the artifact file",
          take: (texts, { content }) => {
            const wanted = texts.get("artifact_id");
            const own = wanted === undefined ? {} : { id: validated(Uuid, wanted, "artifact_id") };
            return takeArtifact({ content, description: descriptionOf(texts), ...sizeOf(texts), ...own }, ports);
          },
        });
        return created(`${PATH}/${id}`);
      },
    }),
    route({
      method: "POST",
      path: `${PATH}/generate`,
      summary: "Make an artifact of a file, for the update module single-file",
      access: "user",
      permission: "upload",
      body: {
        parts: {
          name: { description: "The release", required: true },
          description: { description: `At most ${DESCRIPTION_CHARACTERS_MAX} characters` },
          device_types_compatible: { description: "Device types, with commas between them", required: true },
          type: { description: "single_file", required: true },
          args: { description: 'JSON: {"filename": NAME, "dest_dir": ABSOLUTE PATH}', required: true },
          size: { description: "Bytes of the file; 0: as many as come" },
          file: { description: "The file; the last part that is read", required: true, file: true },
        },
      },
      answers: {
        201: { description: "Made; Location names it", headers: ["Location"] },
        400: { description: "A part is missing or malformed; nothing is kept" },
        413: { description: "The file is too large" },
        415: { description: "The body is not multipart" },
        422: { description: "There is such an artifact already" },
        507: { description: "There is no space left" },
      },
      handle: async ({ request }) => {
        const id = await withParts(request, {
          texts: ["name", "description", "device_types_compatible", "type", "args", "size"],
          file: "file",
          missing: "request does not contain the file",
          take: (texts, file) => generate(texts, file, ports),
        });
        return created(`${PATH}/${id}`);
      },
    }),
  ];
}
