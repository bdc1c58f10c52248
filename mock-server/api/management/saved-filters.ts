import { optional } from "@upkeep/shared/protocol";
import * as z from "zod";
import type { Domain, SavedFilter } from "../../domain.ts";
import { empty, json } from "../answers.ts";
import { whileConnected } from "../client-left.ts";
import { PAGED } from "../headers.ts";
import { linkHeader, pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";
import { fields } from "../validation.ts";
import { InventoryShape, presentInventory } from "./inventory-shape.ts";

const BASE = "/api/management/v2/inventory/filters";

const Term = z.object({ scope: z.string(), attribute: z.string(), type: z.string(), value: z.unknown() });
const FilterShape = z.object({ id: z.string(), name: z.string(), terms: z.array(Term) });
const FilterId = z.object({ id: z.string() });
const NOT_FOUND = { description: "There is no such filter" };

function present({ id, name, terms }: SavedFilter): z.infer<typeof FilterShape> {
  return { id, name, terms: [...terms] };
}

/** Saved filters, which are the dynamic groups. */
export function savedFilterRoutes({ filters, contacts }: Domain): Route[] {
  return [
    route({
      method: "POST",
      path: BASE,
      summary: "Save a filter: a dynamic group of all devices that meet its conditions",
      access: "user",
      body: {
        schema: fields({ name: z.string(), terms: optional(z.array(fields(Term.shape).partial())) }),
        tooLarge: 413,
        example: { name: "large", terms: [{ scope: "inventory", attribute: "memory", type: "$gte", value: 512 }] },
      },
      answers: {
        201: { description: "Saved; Location names it", headers: ["Location"] },
        400: { description: "A condition is malformed, or there is none" },
        409: { description: "The name is taken" },
      },
      // Clients expect a path that is relative.
      handle: async ({ body }) =>
        empty(201, { location: `filters/${await filters.create(body.name, body.terms ?? [])}` }),
    }),
    route({
      method: "GET",
      path: BASE,
      summary: "List saved filters",
      access: "user",
      query: z.object(pagingQuery()),
      answers: { 200: { description: "Filters", schema: z.array(FilterShape), headers: PAGED } },
      handle: async ({ query, request }) => {
        const { items, total } = await filters.list({ page: query.page, perPage: query.per_page });
        const headers = { link: linkHeader(request.url, query, { total }), "x-total-count": String(total) };
        return json(items.map(present), headers);
      },
    }),
    route({
      method: "GET",
      path: `${BASE}/:id`,
      summary: "Show a saved filter",
      access: "user",
      params: FilterId,
      answers: { 200: { description: "The filter", schema: FilterShape }, 404: NOT_FOUND },
      handle: async ({ params }) => json(present(await filters.get(params.id))),
    }),
    route({
      method: "GET",
      path: `${BASE}/:id/search`,
      summary: "List the devices that meet a saved filter's conditions now",
      access: "user",
      params: FilterId,
      query: z.object(pagingQuery()),
      answers: { 200: { description: "Devices", schema: z.array(InventoryShape), headers: PAGED }, 404: NOT_FOUND },
      handle: async ({ params, query, request }) => {
        const paging = { page: query.page, perPage: query.per_page };
        const { items, total } = await whileConnected(request, (signal) => filters.search(params.id, paging, signal));
        const headers = { link: linkHeader(request.url, query, { total }), "x-total-count": String(total) };
        return json(items.map(presentInventory(contacts)), headers);
      },
    }),
    route({
      method: "DELETE",
      path: `${BASE}/:id`,
      summary: "Delete a saved filter; deployments to it keep a copy",
      access: "user",
      params: FilterId,
      answers: { 204: { description: "Deleted" }, 404: NOT_FOUND },
      handle: async ({ params }) => {
        await filters.delete(params.id);
        return empty(204);
      },
    }),
  ];
}
