import { optional } from "@upkeep/shared/protocol";
import * as z from "zod";
import { BULK_RESULTS, type BulkResult, type Domain } from "../../domain.ts";
import { json } from "../answers.ts";
import { type Route, route } from "../route.ts";
import { fields } from "../validation.ts";
import { bulkTargetsOf, TARGETS } from "./bulk-targets.ts";

const ResultsShape = z.array(
  z.object({
    id: z.string(),
    result: z.enum(BULK_RESULTS),
    reason: z.string().optional().meta({ description: "Of refused" }),
  }),
);

function presentResults(results: readonly BulkResult[]): z.infer<typeof ResultsShape> {
  return results.map(({ deviceId, ...result }) => ({ id: deviceId, ...result }));
}

const PENDING = { scope: "identity", attribute: "status", type: "$eq", value: "pending" };
const RESULTS = { 200: { description: "The result of each device", schema: ResultsShape } };
const OTHERS = { 409: { description: "The search finds another number of devices now; nothing has changed" } };

/** Changes of many devices at once: by id, or all that a search finds, if they are still as many as expected. */
export function bulkRoutes({ devices, groups }: Domain): Route[] {
  return [
    route({
      method: "PUT",
      path: "/api/management/v2/devauth/devices/status",
      summary:
        "Accept or reject many devices: by id, or all that a search finds, if they are still as many as expected",
      access: "user",
      body: {
        schema: fields({ status: z.enum(["accepted", "rejected"]), ...TARGETS }),
        tooLarge: 413,
        example: { status: "accepted", filters: [PENDING], expected_count: 2000 },
      },
      answers: { ...RESULTS, ...OTHERS },
      handle: async ({ body }) => json(presentResults(await devices.decideAll(bulkTargetsOf(body), body.status))),
    }),
    route({
      method: "POST",
      path: "/api/management/v2/devauth/devices/decommission",
      summary: "Decommission many devices: by id, or all that a search finds, if they are still as many as expected",
      access: "user",
      body: {
        schema: fields(TARGETS),
        tooLarge: 413,
        example: { filters: [], text: "prototype", expected_count: 12 },
      },
      answers: { ...RESULTS, ...OTHERS },
      handle: async ({ body }) => json(presentResults(await devices.decommissionAll(bulkTargetsOf(body)))),
    }),
    route({
      method: "PUT",
      path: "/api/management/v2/inventory/devices/group",
      summary:
        "Put many devices into a static group, or without one out of theirs: by id, or all that a search finds, if they are still as many as expected",
      access: "user",
      body: {
        schema: fields({ group: optional(z.string()), ...TARGETS }),
        tooLarge: 413,
        example: { group: "lab", filters: [], text: "prototype", expected_count: 12 },
      },
      answers: {
        200: {
          description: "How many there are, and how many changed their group",
          schema: z.object({ matched_count: z.int(), updated_count: z.int() }),
        },
        409: { description: `${OTHERS[409].description}. Or a group of that name is being deleted` },
      },
      handle: async ({ body }) => {
        const { matched, updated } = await groups.assignTargets(bulkTargetsOf(body), body.group);
        return json({ matched_count: matched, updated_count: updated });
      },
    }),
  ];
}
