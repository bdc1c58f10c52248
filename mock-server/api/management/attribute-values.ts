import { given } from "@upkeep/shared/given";
import { optional } from "@upkeep/shared/protocol";
import * as z from "zod";
import { ATTRIBUTE_SCOPES, checkTerms, type Domain } from "../../domain.ts";
import { json } from "../answers.ts";
import { whileConnected } from "../client-left.ts";
import { type Route, route } from "../route.ts";
import { fields, one } from "../validation.ts";
import { Filters } from "./inventory-query.ts";

const V2 = "/api/management/v2/inventory";

/** Counts of devices, for filters as they are written. */
export function attributeValueRoutes({ inventory }: Domain): Route[] {
  return [
    route({
      method: "POST",
      path: `${V2}/filters/count`,
      summary: "Count devices that meet all conditions",
      access: "user",
      permission: "read",
      body: {
        schema: fields({
          filters: optional(Filters),
          device_ids: optional(z.array(z.string())),
          text: optional(z.string()),
        }),
        tooLarge: 413,
        example: { filters: [{ scope: "inventory", attribute: "memory", type: "$gte", value: 512 }] },
      },
      answers: { 200: { description: "How many", schema: z.object({ count: z.int() }) } },
      handle: async ({ body, request }) => {
        const { filters = [], device_ids: ids = [], text } = body;
        const terms = checkTerms(filters, "filters");
        const search = { terms, ...given({ text }), ...(ids.length === 0 ? {} : { ids }) };
        const count = await whileConnected(request, (signal) => inventory.count(search, signal));
        return json({ count });
      },
    }),
    route({
      method: "GET",
      path: `${V2}/filters/attributes/:scope/:name/values`,
      summary: "Count devices by the value of an attribute, the most frequent first, at most 100",
      access: "user",
      params: z.object({ scope: z.enum(ATTRIBUTE_SCOPES), name: z.string() }),
      query: z.object({ prefix: one(z.string().default("")) }),
      answers: {
        200: {
          description: "Values; X-Total-Count tells how many different ones there are",
          schema: z.array(z.object({ value: z.union([z.string(), z.number(), z.boolean()]), count: z.int() })),
          headers: ["X-Total-Count"],
        },
        400: { description: "The values of this attribute are not counted: it is a time, or derived from deployments" },
      },
      handle: async ({ params, query, request }) => {
        const { values, total } = await whileConnected(request, (signal) =>
          inventory.values(params, query.prefix, signal),
        );
        return json(values, { "x-total-count": String(total) });
      },
    }),
  ];
}
