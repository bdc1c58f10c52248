import { given } from "@upkeep/shared/given";
import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import type { Domain } from "../../domain.ts";
import { empty, json } from "../answers.ts";
import { type Route, route } from "../route.ts";
import { ConfigurationBody, rolloutOf } from "./new-deployment.ts";
import { timestamp } from "./times.ts";

const PATH = "/api/management/v1/deviceconfig/configurations/device/:id";

/** Settings of a device, by name. */
export const Configuration = recordOf(z.string());

const DeviceId = z.object({ id: z.string() });
const NOT_FOUND = { description: "There is no such device" };

const ConfigurationShape = z.object({
  id: z.string(),
  configured: Configuration,
  reported: Configuration,
  deployment_id: z.string().optional(),
  updated_ts: z.string().optional(),
  reported_ts: z.string().optional(),
});

/** What devices should be set to. */
export function configurationRoutes({ configurations }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: PATH,
      summary: "Show what a device should be set to, and what it says it is",
      access: "user",
      params: DeviceId,
      answers: { 200: { description: "The configuration", schema: ConfigurationShape }, 404: NOT_FOUND },
      handle: async ({ params }) => {
        const { deviceId, configured, reported, deploymentId, updatedMs, reportedMs } = await configurations.get(
          params.id,
        );
        return json({
          id: deviceId,
          configured,
          reported,
          ...given({ deployment_id: deploymentId }),
          ...(updatedMs === undefined ? {} : { updated_ts: timestamp(updatedMs) }),
          ...(reportedMs === undefined ? {} : { reported_ts: timestamp(reportedMs) }),
        });
      },
    }),
    route({
      method: "PUT",
      path: PATH,
      summary: "Say what a device should be set to; it hears of it when that is deployed",
      access: "user",
      params: DeviceId,
      body: { schema: Configuration, tooLarge: 413 },
      answers: { 204: { description: "Kept" }, 404: NOT_FOUND },
      handle: async ({ params, body }) => {
        await configurations.configure(params.id, body);
        return empty(204);
      },
    }),
    route({
      method: "POST",
      path: `${PATH}/deploy`,
      summary: "Deliver to a device what it should be set to",
      access: "user",
      params: DeviceId,
      body: { schema: ConfigurationBody, tooLarge: 413, absent: {} },
      answers: {
        200: { description: "Created", schema: z.object({ deployment_id: z.string() }) },
        404: NOT_FOUND,
        422: { description: "The device is not accepted" },
      },
      handle: async ({ params, body }) =>
        json({ deployment_id: await configurations.deploy(params.id, rolloutOf(body)) }),
    }),
  ];
}
