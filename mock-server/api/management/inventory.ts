import { given } from "@upkeep/shared/given";
import { optional } from "@upkeep/shared/protocol";
import * as z from "zod";
import {
  ATTRIBUTE_SCOPES,
  checkTerms,
  DEVICE_STATUSES,
  DEVICE_TIERS,
  type DeviceStatus,
  type DeviceTier,
  type Domain,
} from "../../domain.ts";
import { empty, json } from "../answers.ts";
import { whileConnected } from "../client-left.ts";
import { PAGED } from "../headers.ts";
import { linkHeader, pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";
import { fields } from "../validation.ts";
import { Filters, searchOf } from "./inventory-query.ts";
import { InventoryShape, presentInventory } from "./inventory-shape.ts";

const V1 = "/api/management/v1/inventory";
const V2 = "/api/management/v2/inventory";
const PER_PAGE_DEFAULT = 20;
const PER_PAGE_MAX = 500;

const DeviceId = z.object({ id: z.string() });
const NOT_FOUND = { description: "There is no such device" };

/** SQLite takes patterns of 50,000 bytes. */
const SEARCHED_TEXT_MAX = 4096;

const SearchBody = fields({
  // Less than one counts as not given, as the reference has it.
  page: optional(z.int().max(2 ** 31)),
  per_page: optional(z.int().max(PER_PAGE_MAX)),
  filters: optional(Filters),
  sort: optional(
    z.array(
      fields({
        scope: z.enum(ATTRIBUTE_SCOPES),
        attribute: z.string().min(1),
        order: z.enum(["asc", "desc"]),
      }),
    ),
  ),
  attributes: optional(z.array(fields({ scope: z.enum(ATTRIBUTE_SCOPES), attribute: z.string().min(1) }))),
  device_ids: optional(z.array(z.string())),
  text: optional(
    z.string().max(SEARCHED_TEXT_MAX).meta({
      description: "A part of the id or of a reported value: identity, inventory, tags; in any case",
    }),
  ),
});

const EXAMPLE = {
  filters: [{ scope: "inventory", attribute: "memory", type: "$gte", value: 512 }],
  sort: [{ scope: "identity", attribute: "mac", order: "asc" }],
  page: 1,
  per_page: 20,
};

function first({ inventory, tags, contacts }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: `${V1}/devices`,
      summary: "List devices with their inventory; any other parameter is a condition: [SCOPE/]NAME=[eq:]VALUE",
      access: "user",
      query: z.looseObject({
        ...pagingQuery(),
        sort: z.unknown().optional().meta({ type: "string", description: "[SCOPE/]NAME[:asc|desc]" }),
        group: z.unknown().optional().meta({ type: "string" }),
        has_group: z
          .unknown()
          .optional()
          .meta({ type: "string", enum: ["true", "false"] }),
      }),
      answers: { 200: { description: "Devices", schema: z.array(InventoryShape), headers: PAGED } },
      handle: async ({ query, request }) => {
        const paging = { page: query.page, perPage: query.per_page };
        const { items, total } = await whileConnected(request, (signal) =>
          inventory.search(searchOf(query), paging, signal),
        );
        return json(items.map(presentInventory(contacts)), {
          link: linkHeader(request.url, query, { total }),
          "x-total-count": String(total),
        });
      },
    }),
    route({
      method: "GET",
      path: `${V1}/devices/:id`,
      summary: "Show a device's inventory",
      access: "user",
      params: DeviceId,
      answers: {
        200: { description: "The device; ETag tells the state of its tags", schema: InventoryShape, headers: ["ETag"] },
        404: NOT_FOUND,
      },
      handle: async ({ params }) => {
        const device = await inventory.get(params.id);
        const etag = await tags.etag(params.id);
        return json(presentInventory(contacts)(device), etag === undefined ? {} : { etag });
      },
    }),
    route({
      method: "DELETE",
      path: `${V1}/devices/:id`,
      summary: "Forget what a device told of itself",
      access: "user",
      params: DeviceId,
      answers: { 204: { description: "Forgotten" }, 404: NOT_FOUND },
      handle: async ({ params }) => {
        await inventory.clear(params.id);
        return empty(204);
      },
    }),
  ];
}

function second({ inventory, devices, contacts }: Domain): Route[] {
  return [
    route({
      method: "POST",
      path: `${V2}/filters/search`,
      summary: "Find devices that meet all conditions",
      access: "user",
      permission: "read",
      body: { schema: SearchBody, tooLarge: 413, example: EXAMPLE },
      answers: { 200: { description: "Devices", schema: z.array(InventoryShape), headers: ["X-Total-Count"] } },
      handle: async ({ body, request }) => {
        const { page = 1, per_page = PER_PAGE_DEFAULT, filters = [], sort, attributes, device_ids = [], text } = body;
        const search = {
          terms: checkTerms(filters, "filters"),
          ...given({ sort, select: attributes }),
          ...(device_ids.length === 0 ? {} : { ids: device_ids }),
          ...(text ? { text } : {}),
        };
        const paging = { page: Math.max(page, 1), perPage: per_page < 1 ? PER_PAGE_DEFAULT : per_page };
        const { items, total } = await whileConnected(request, (signal) => inventory.search(search, paging, signal));
        return json(items.map(presentInventory(contacts)), { "x-total-count": String(total) });
      },
    }),
    route({
      method: "GET",
      path: `${V2}/filters/attributes`,
      summary: "List which attributes there are, the most frequent first",
      access: "user",
      answers: {
        200: {
          description: "Attributes",
          schema: z.array(z.object({ name: z.string(), scope: z.enum(ATTRIBUTE_SCOPES), count: z.int() })),
        },
      },
      handle: async () => {
        const names = await inventory.attributeNames();
        return json(names.map(({ name, scope, count }) => ({ name, scope, count })));
      },
    }),
    route({
      method: "GET",
      path: `${V2}/statistics`,
      summary: "Count devices by status and tier",
      access: "user",
      answers: {
        200: {
          description: "How many",
          schema: z.object({
            devices_by_status: z.record(
              z.enum(DEVICE_STATUSES),
              z.object({ standard: z.int(), micro: z.int(), system: z.int() }),
            ),
          }),
        },
      },
      handle: async () => {
        const counts = await devices.countsByTier();
        const countOf = (status: DeviceStatus, tier: DeviceTier): number =>
          counts.find((one) => one.status === status && one.tier === tier)?.count ?? 0;
        const byTier = (status: DeviceStatus) =>
          Object.fromEntries(DEVICE_TIERS.map((tier) => [tier, countOf(status, tier)]));
        return json({
          devices_by_status: Object.fromEntries(DEVICE_STATUSES.map((status) => [status, byTier(status)])),
        });
      },
    }),
  ];
}

/** What devices told of themselves, and finding them by it. */
export function inventoryRoutes(domain: Domain): Route[] {
  return [...first(domain), ...second(domain)];
}
