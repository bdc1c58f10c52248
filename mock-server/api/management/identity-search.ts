import { given } from "@upkeep/shared/given";
import { optional } from "@upkeep/shared/protocol";
import * as z from "zod";
import { ATTRIBUTE_SCOPES, type Domain } from "../../domain.ts";
import { json } from "../answers.ts";
import { whileConnected } from "../client-left.ts";
import { type Route, route } from "../route.ts";
import { fields } from "../validation.ts";
import { InventoryShape, presentInventory } from "./inventory-shape.ts";

const PAGE_MAX = 2 ** 31;
const PER_PAGE_MAX = 500;
const PER_PAGE = 20;

const Body = fields({
  value_prefix: z.string().min(1),
  attribute: optional(fields({ scope: z.enum(["identity", "tags"]), name: z.string().min(1) })),
  attributes: optional(z.array(fields({ scope: z.enum(ATTRIBUTE_SCOPES), attribute: z.string().min(1) }))),
  page: optional(z.int().min(1).max(PAGE_MAX)),
  per_page: optional(z.int().min(1).max(PER_PAGE_MAX)),
});

/** Finds devices by what names them. */
export function identitySearchRoutes({ inventory, contacts }: Domain): Route[] {
  return [
    route({
      method: "POST",
      path: "/api/management/v2alpha1/inventory/identities/search",
      summary: "Find devices by the beginning of an identity attribute, of their id or of their tag `name`",
      access: "user",
      permission: "read",
      body: { schema: Body, tooLarge: 413 },
      answers: { 200: { description: "Devices", schema: z.array(InventoryShape), headers: ["X-Total-Count"] } },
      handle: async ({ body, request }) => {
        const { value_prefix: prefix, attribute, attributes, page = 1, per_page = PER_PAGE } = body;
        const search = {
          named: { prefix, ...given({ attribute }) },
          ...given({ select: attributes }),
        };
        const { items, total } = await whileConnected(request, (signal) =>
          inventory.search(search, { page, perPage: per_page }, signal),
        );
        return json(items.map(presentInventory(contacts)), { "x-total-count": String(total) });
      },
    }),
  ];
}
