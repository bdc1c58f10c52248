import { given } from "@upkeep/shared/given";
import * as z from "zod";
import { type Domain, PREVIEW_OUTCOMES, type Preview } from "../../domain.ts";
import { json } from "../answers.ts";
import { whileConnected } from "../client-left.ts";
import { type Route, route } from "../route.ts";
import { PreviewBody, previewedDeploymentOf } from "./new-deployment.ts";
import { timestamp } from "./times.ts";

const PreviewShape = z.object({
  target_count: z.int().meta({ description: "Of a deployment to a filter: the devices that match it now" }),
  outcomes: z.array(
    z.object({
      outcome: z.enum(PREVIEW_OUTCOMES),
      artifact: z
        .object({ id: z.string(), name: z.string(), size: z.int() })
        .optional()
        .meta({ description: "Of artifact and already-installed" }),
      device_type: z.string().optional(),
      deployment_id: z.string().optional().meta({ description: "Of older-deployment: the one that comes first" }),
      count: z.int(),
      devices: z.array(z.string()).meta({ description: "Some of them, at most 10" }),
    }),
  ),
  phases: z.array(z.object({ batch_size: z.int(), places: z.int(), start_ts: z.string().optional() })),
});

function present({ targetCount, groups, phases }: Preview): z.infer<typeof PreviewShape> {
  return {
    target_count: targetCount,
    outcomes: groups.map(({ outcome, artifact, deviceType, deploymentId, count, sample }) => ({
      outcome,
      ...(artifact === undefined
        ? {}
        : { artifact: { id: artifact.id, name: artifact.name, size: artifact.sizeBytes } }),
      ...given({ device_type: deviceType, deployment_id: deploymentId }),
      count,
      devices: [...sample],
    })),
    phases: phases.map(({ batchPercent, places, startMs }) => ({
      batch_size: batchPercent,
      places,
      ...(startMs === null ? {} : { start_ts: timestamp(startMs) }),
    })),
  };
}

/** What a deployment would do, before it is created. */
export function deploymentPreviewRoutes(domain: Domain): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/management/v1/deployments/deployments/preview",
      summary:
        "Preview a deployment: which devices would get what, as the selection decides it, and nothing is created",
      access: "user",
      permission: "read",
      body: {
        schema: PreviewBody,
        tooLarge: 413,
        example: { artifact_name: "release-2", all_devices: true, phases: [{ batch_size: 10 }, {}] },
      },
      answers: {
        200: { description: "Devices by outcome, the largest groups first", schema: PreviewShape },
        400: { description: "The request is malformed" },
        404: { description: "There is no such filter" },
        422: { description: "There is no such release" },
      },
      handle: async ({ body, request }) => {
        const deployment = await previewedDeploymentOf(domain, body);
        return json(present(await whileConnected(request, (signal) => domain.insight.preview(deployment, signal))));
      },
    }),
  ];
}
