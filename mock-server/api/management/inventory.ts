import * as z from "zod";
import type { DeviceInventory, Domain } from "../../domain.ts";
import { json } from "../answers.ts";
import { linkHeader, pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";
import { timestamp } from "./times.ts";

const BASE = "/api/management/v1/inventory";

const InventoryShape = z.object({
  id: z.string(),
  attributes: z.array(
    z.object({
      name: z.string(),
      scope: z.string(),
      value: z.unknown(),
      description: z.string().optional(),
      timestamp: z.string(),
    }),
  ),
  updated_ts: z.string(),
});

function present({ id, attributes, updatedMs }: DeviceInventory): z.infer<typeof InventoryShape> {
  return {
    id,
    attributes: attributes.map(({ name, scope, value, description, updatedMs: changedMs }) => ({
      name,
      scope,
      value,
      ...(description === undefined ? {} : { description }),
      timestamp: timestamp(changedMs),
    })),
    updated_ts: timestamp(updatedMs),
  };
}

/** What devices told of themselves. */
export function inventoryRoutes({ inventory }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: `${BASE}/devices`,
      summary: "List devices with their inventory",
      access: "user",
      query: z.strictObject(pagingQuery()),
      answers: { 200: { description: "Devices", schema: z.array(InventoryShape) } },
      handle: async ({ query, request }) => {
        const { items, total } = await inventory.list({ page: query.page, perPage: query.per_page });
        return json(items.map(present), {
          link: linkHeader(request.url, query, { total }),
          "x-total-count": String(total),
        });
      },
    }),
    route({
      method: "GET",
      path: `${BASE}/devices/:id`,
      summary: "Show a device's inventory",
      access: "user",
      params: z.object({ id: z.string() }),
      answers: {
        200: { description: "The device", schema: InventoryShape },
        404: { description: "There is no such device" },
      },
      handle: async ({ params }) => json(present(await inventory.get(params.id))),
    }),
  ];
}
