import { type ArtifactPlan, PlanError, writeArtifact } from "@upkeep/shared/artifact/write";
import * as z from "zod";
import type { DeviceSide } from "../domain.ts";
import { unprocessable } from "../errors.ts";
import type { DownloadLinks } from "../releases/links.ts";
import { MemorySink } from "../releases/memory-sink.ts";
import type { BlobLink } from "../storage/blobs/index.ts";
import { checkLink } from "./links.ts";
import { type Route, route } from "./route.ts";
import { Uuid } from "./validation.ts";

const PATH = "/api/devices/v1/deployments/download/configuration";
/** Validity of the links, in milliseconds. */
const LINK_LIFE_MS = 15 * 60 * 1000;

/** The deployment, device type and device of a configuration artifact. */
export interface ConfiguredDevice {
  readonly deploymentId: string;
  readonly deviceType: string;
  readonly deviceId: string;
}

export function configurationLink(
  links: DownloadLinks,
  { deploymentId, deviceType, deviceId }: ConfiguredDevice,
  baseUrl: string,
): BlobLink {
  const path = `${PATH}/${[deploymentId, deviceType, deviceId].map(encodeURIComponent).join("/")}`;
  const link = links.sign(path, LINK_LIFE_MS);
  return { uri: baseUrl + link.path, expiresMs: link.expiresMs };
}

/** @throws DomainError (unprocessable) if no artifact may name the type of the device. */
async function written(plan: ArtifactPlan): Promise<Buffer> {
  const sink = new MemorySink();
  try {
    await writeArtifact(plan, sink);
  } catch (error) {
    if (error instanceof PlanError) throw unprocessable(error.message);
    throw error;
  }
  return sink.content;
}

/** Downloads of configuration artifacts, which are written on request. */
export function configurationDownloadRoutes(links: DownloadLinks, deviceSide: DeviceSide): Route[] {
  return [
    route({
      method: "GET",
      path: `${PATH}/:deployment/:type/:device`,
      summary: "Download a device's configuration by a link that was handed out",
      access: "public",
      params: z.object({ deployment: Uuid, type: z.string(), device: z.string() }),
      query: z.looseObject({}),
      answers: {
        200: { description: "The artifact", mediaType: "application/vnd.mender-artifact" },
        403: { description: "The link is forged or has expired" },
        404: { description: "There is no such deployment any more" },
        422: { description: "The device is of a type that no artifact may name" },
      },
      handle: async ({ params, query, request }) => {
        checkLink(links, request.url, query);
        const plan = await deviceSide.configurationPlan(params.device, params.deployment, params.type);
        const content = await written(plan);
        return {
          status: 200,
          headers: {
            "content-type": "application/vnd.mender-artifact",
            "content-disposition": 'attachment; filename="artifact.mender"',
            "cache-control": "private, no-transform",
          },
          body: { bytes: content },
        };
      },
    }),
  ];
}
