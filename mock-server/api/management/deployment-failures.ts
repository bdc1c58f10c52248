import * as z from "zod";
import type { Domain, FailureGroup } from "../../domain.ts";
import { json } from "../answers.ts";
import { type Route, route } from "../route.ts";
import { Uuid } from "../validation.ts";
import { seconds } from "./times.ts";

const BASE = "/api/management/v1/deployments";

const FailuresShape = z.array(
  z.object({
    reason: z
      .string()
      .optional()
      .meta({ description: "The last error in the log, else the substate, without ids, addresses and times" }),
    count: z.int(),
    devices: z
      .array(z.object({ id: z.string(), deployment_id: z.string() }))
      .meta({ description: "The last of them, at most 10" }),
  }),
);

function present(groups: readonly FailureGroup[]): z.infer<typeof FailuresShape> {
  return groups.map(({ reason, count, sample }) => ({
    ...(reason === undefined ? {} : { reason }),
    count,
    devices: sample.map(({ deviceId, deploymentId }) => ({ id: deviceId, deployment_id: deploymentId })),
  }));
}

/** Why devices failed. */
export function deploymentFailureRoutes({ insight }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: `${BASE}/deployments/:id/failures`,
      summary: "Count the failures of a deployment by reason",
      access: "user",
      params: z.object({ id: Uuid }),
      answers: {
        200: { description: "Reasons, the most frequent first", schema: FailuresShape },
        404: { description: "There is no such deployment" },
      },
      handle: async ({ params }) => json(present(await insight.failures({ deploymentId: params.id }))),
    }),
    route({
      method: "GET",
      path: `${BASE}/failures`,
      summary: "Count the failures of all deployments by reason",
      access: "user",
      query: z.object({ since: seconds }),
      answers: { 200: { description: "Reasons, the most frequent first", schema: FailuresShape } },
      handle: async ({ query: { since } }) =>
        json(present(await insight.failures(since === undefined ? {} : { sinceMs: since }))),
    }),
  ];
}
