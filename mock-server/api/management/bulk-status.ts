import { optional } from "@upkeep/shared/protocol";
import * as z from "zod";
import { BULK_RESULTS, type BulkTargets, checkTerms, type Domain } from "../../domain.ts";
import { invalid } from "../../errors.ts";
import { json } from "../answers.ts";
import { type Route, route } from "../route.ts";
import { fields } from "../validation.ts";
import { Filters } from "./inventory-query.ts";

const IDS_MAX = 10_000;

const BulkBody = fields({
  status: z.enum(["accepted", "rejected"]),
  ids: optional(z.array(z.string()).max(IDS_MAX)),
  filters: optional(Filters),
  expected_count: optional(z.int().min(0)),
});

const ResultsShape = z.array(
  z.object({
    id: z.string(),
    result: z.enum(BULK_RESULTS),
    reason: z.string().optional().meta({ description: "Of refused" }),
  }),
);

function targetsOf({ ids, filters, expected_count: expectedCount }: z.infer<typeof BulkBody>): BulkTargets {
  if ((ids === undefined) === (filters === undefined)) throw invalid("give either ids, or filters with expected_count");
  if (ids !== undefined) {
    if (expectedCount !== undefined) throw invalid("expected_count: only filters have it");
    return { ids };
  }
  if (expectedCount === undefined) throw invalid("expected_count: the number of devices that the filters matched");
  return { terms: checkTerms(filters ?? [], "filters"), expectedCount };
}

/** Decides on many devices at once. */
export function bulkStatusRoutes({ devices }: Domain): Route[] {
  return [
    route({
      method: "PUT",
      path: "/api/management/v2/devauth/devices/status",
      summary:
        "Accept or reject many devices: by id, or all that meet conditions, if they are still as many as expected",
      access: "user",
      body: {
        schema: BulkBody,
        tooLarge: 413,
        example: {
          status: "accepted",
          filters: [{ scope: "identity", attribute: "status", type: "$eq", value: "pending" }],
          expected_count: 2000,
        },
      },
      answers: {
        200: { description: "The result of each device", schema: ResultsShape },
        409: { description: "Another number of devices meets the conditions now; nothing has changed" },
      },
      handle: async ({ body }) => {
        const results = await devices.decideAll(targetsOf(body), body.status);
        return json(results.map(({ deviceId, ...result }) => ({ id: deviceId, ...result })));
      },
    }),
  ];
}
