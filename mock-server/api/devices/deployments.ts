import { given } from "@upkeep/shared/given";
import {
  ADAPTIVE_HEADER,
  type AdaptiveOffer,
  DEVICE_PATHS,
  DeploymentInstructions,
  DeploymentLog,
  DeviceProvides,
  DeviceProvidesBody,
  NextRequest,
  StatusReport,
} from "@upkeep/shared/protocol";
import * as z from "zod";
import type { DevicePrincipal, Domain, Instructions } from "../../domain.ts";
import type { DownloadLinks } from "../../releases/links.ts";
import type { Blobs } from "../../storage/blobs/index.ts";
import { type Answer, empty, json, NO_STORE } from "../answers.ts";
import { configurationLink } from "../configuration-download.ts";
import { artifactLink, indexLink } from "../download.ts";
import { HandedControlMap } from "../management/control-map.ts";
import { type ApiRequest, type Route, route } from "../route.ts";
import { one } from "../validation.ts";
import type { PollRefusals } from "./poll-refusals.ts";

export interface DeviceDeploymentPorts {
  readonly domain: Domain;
  readonly links: DownloadLinks;
  readonly blobs: Blobs;
  /** Devices that can are offered adaptive downloads. Default: none is. */
  readonly isAdaptive?: boolean;
  /** How long a link that is handed out works, in milliseconds. */
  readonly linkLifeMs: number;
  /** Told of polls that are refused. */
  readonly refusals?: PollRefusals;
}

const NEXT_ANSWERS = {
  200: {
    description: "Install this",
    schema: z.intersection(DeploymentInstructions, z.object({ update_control_map: HandedControlMap.optional() })),
  },
  204: { description: "Nothing to install" },
  400: { description: "The request is malformed" },
  401: { description: "The token is not good; the answer is empty" },
  409: { description: "The device says other things of itself than when it got its instructions" },
} as const;

const DeploymentId = z.object({ id: z.string() });

interface PollCall {
  readonly caller: DevicePrincipal;
  readonly baseUrl: string;
  readonly request: ApiRequest;
}

/** The offer of an adaptive download, if the artifact is indexed. */
async function offerOf(
  { domain, links, blobs, linkLifeMs, isAdaptive = false }: DeviceDeploymentPorts,
  artifact: Instructions["artifact"],
  baseUrl: string,
  heardDevice: string | undefined,
): Promise<AdaptiveOffer | undefined> {
  const made = isAdaptive ? (await domain.artifacts.indexesOf([artifact.id])).get(artifact.id) : undefined;
  if (made === undefined || "fault" in made) return undefined;
  const linkOf = (name: "index" | "chunks") =>
    indexLink({ links, blobs }, artifact, { name, blob: made[name].blob }, linkLifeMs, baseUrl, heardDevice);
  const index = await linkOf("index");
  const chunks = await linkOf("chunks");
  const { sizeBytes } = await domain.artifacts.get(artifact.id);
  return {
    artifact_size: sizeBytes,
    index: { uri: index.uri, size: made.index.sizeBytes, sha256: made.index.sha256 },
    chunks: { uri: chunks.uri, size: made.chunks.sizeBytes },
    expire: new Date(Math.min(index.expiresMs, chunks.expiresMs)).toISOString(),
  };
}

/** Polls: all three forms that clients use. */
function nextRoutes(ports: DeviceDeploymentPorts): Route[] {
  const { domain, links, blobs, linkLifeMs, refusals } = ports;
  const next = async (
    { caller: { deviceId, mayHaveWork }, baseUrl, request }: PollCall,
    provides: DeviceProvides,
    controlMap = false,
  ): Promise<Answer> => {
    refusals?.accepted(deviceId);
    const instructions = await domain.deviceSide.next(deviceId, provides, { mayHaveWork, controlMap });
    return instructions === undefined
      ? empty(204)
      : await instruct(instructions, deviceId, provides, baseUrl, request.headers[ADAPTIVE_HEADER] !== undefined);
  };
  const instruct = async (
    { deploymentId, artifact, kind, limitsSilence, updateControlMap }: Instructions,
    deviceId: string,
    provides: DeviceProvides,
    baseUrl: string,
    canAdapt: boolean,
  ): Promise<Answer> => {
    const heard = limitsSilence ? deviceId : undefined;
    const adaptive = canAdapt && kind === "software" ? await offerOf(ports, artifact, baseUrl, heard) : undefined;
    const link =
      kind === "software"
        ? await artifactLink({ links, blobs }, artifact, linkLifeMs, baseUrl, heard)
        : configurationLink(links, { deploymentId, deviceType: provides.device_type, deviceId }, baseUrl);
    const body = {
      id: deploymentId,
      artifact: {
        id: artifact.id,
        artifact_name: artifact.name,
        source: { uri: link.uri, expire: new Date(link.expiresMs).toISOString() },
        device_types_compatible: artifact.deviceTypes,
        ...given({ adaptive }),
      },
      ...given({ update_control_map: updateControlMap }),
    };
    return json(body, NO_STORE);
  };
  const refused = (deviceId: string, message: string): void => refusals?.refused(deviceId, message);
  return [
    route({
      method: "POST",
      path: DEVICE_PATHS.nextV2,
      summary: "Ask what to install, telling everything that the device provides",
      access: "device",
      headers: ["X-Upkeep-Adaptive"],
      body: { schema: NextRequest, tooLarge: 400 },
      answers: NEXT_ANSWERS,
      refused,
      handle: (call) => next(call, call.body.device_provides, call.body.update_control_map),
    }),
    route({
      method: "POST",
      path: DEVICE_PATHS.nextV1,
      summary: "Ask what to install (flat body)",
      access: "device",
      headers: ["X-Upkeep-Adaptive"],
      body: { schema: DeviceProvidesBody, tooLarge: 400 },
      answers: NEXT_ANSWERS,
      refused,
      handle: (call) => next(call, call.body),
    }),
    route({
      method: "GET",
      head: true,
      path: DEVICE_PATHS.nextV1,
      summary: "Ask what to install (query)",
      access: "device",
      headers: ["X-Upkeep-Adaptive"],
      query: z.object({
        artifact_name: one(DeviceProvides.shape.artifact_name),
        device_type: one(DeviceProvides.shape.device_type),
      }),
      answers: NEXT_ANSWERS,
      refused,
      handle: (call) => next(call, call.query),
    }),
  ];
}

/** What devices do with deployments: ask, report, send the log. */
export function deviceDeploymentRoutes(ports: DeviceDeploymentPorts): Route[] {
  const { deviceSide } = ports.domain;
  return [
    ...nextRoutes(ports),
    route({
      method: "GET",
      path: `${DEVICE_PATHS.nextV2.replace(/next$/, "")}:id/update_control_map`,
      summary: "Ask again where the device pauses",
      access: "device",
      params: DeploymentId,
      answers: {
        200: { description: "There", schema: z.object({ update_control_map: HandedControlMap }) },
        204: { description: "Nowhere" },
        404: { description: "The device has no such deployment" },
        409: { description: "The device's part in the deployment was ended" },
      },
      handle: async ({ caller, params }) => {
        const map = await deviceSide.controlMap(caller.deviceId, params.id);
        return map === undefined ? empty(204) : json({ update_control_map: map });
      },
    }),
    route({
      method: "PUT",
      path: DEVICE_PATHS.status(":id"),
      summary: "Report how far the device has got",
      access: "device",
      params: DeploymentId,
      body: { schema: StatusReport, tooLarge: 400 },
      answers: {
        204: { description: "Known, for good" },
        400: { description: "The status is not one that a device reports" },
        404: { description: "The device has no such deployment" },
        409: { description: "The device's part in the deployment has ended" },
      },
      handle: async ({ caller, params, body }) => {
        const { status, substate, adaptive } = body;
        await deviceSide.report(caller.deviceId, params.id, status, substate, adaptive);
        return empty(204);
      },
    }),
    route({
      method: "PUT",
      path: DEVICE_PATHS.log(":id"),
      summary: "Send the log of a deployment, in place of what was sent before",
      access: "device",
      params: DeploymentId,
      body: { schema: DeploymentLog, tooLarge: 413 },
      answers: {
        204: { description: "Kept" },
        400: { description: "The log is malformed" },
        404: { description: "The device has no such deployment" },
        413: { description: "The log is too large" },
      },
      handle: async ({ caller, params, body }) => {
        await deviceSide.saveLog(caller.deviceId, params.id, body.messages);
        return empty(204);
      },
    }),
  ];
}
