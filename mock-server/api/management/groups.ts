import * as z from "zod";
import { DEVICE_STATUSES, type Domain, type GroupChange } from "../../domain.ts";
import { empty, json } from "../answers.ts";
import { PAGED } from "../headers.ts";
import { linkHeader, pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";
import { fields, one } from "../validation.ts";

const BASE = "/api/management/v1/inventory";

const Group = z.object({ group: z.string().nullable() });
const GroupName = z.object({ name: z.string() });
const DeviceId = z.object({ id: z.string() });
const NO_DEVICE = { description: "There is no such device" };
const NO_GROUP = { description: "There is no such group" };
const BEING_DELETED = { description: "A group of that name was deleted, and its members are still leaving it" };
const Ids = z.array(z.string());

const ChangeShape = z.object({ updated_count: z.int().optional(), matched_count: z.int().optional() });

/** Counts of nothing are left out, as the reference does. */
function presentChange({ updated, matched }: GroupChange): z.infer<typeof ChangeShape> {
  return {
    ...(updated === 0 ? {} : { updated_count: updated }),
    ...(matched === 0 ? {} : { matched_count: matched }),
  };
}

function ofDevices({ groups }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: `${BASE}/devices/:id/group`,
      summary: "Show the static group that a device is in",
      access: "user",
      params: DeviceId,
      answers: { 200: { description: "Its group; null: none", schema: Group }, 404: NO_DEVICE },
      handle: async ({ params }) => json({ group: (await groups.ofDevice(params.id)) ?? null }),
    }),
    route({
      method: "PUT",
      path: `${BASE}/devices/:id/group`,
      summary: "Put a device into a static group, out of the one that it is in",
      access: "user",
      params: DeviceId,
      body: { schema: fields({ group: z.string() }), tooLarge: 413 },
      answers: { 204: { description: "It is in the group" }, 404: NO_DEVICE, 409: BEING_DELETED },
      handle: async ({ params, body }) => {
        await groups.assign(params.id, body.group);
        return empty(204);
      },
    }),
    route({
      method: "DELETE",
      path: `${BASE}/devices/:id/group/:name`,
      summary: "Take a device out of a static group",
      access: "user",
      params: DeviceId.extend({ name: z.string() }),
      answers: { 204: { description: "It is in no group" }, 404: { description: "It is not in that group" } },
      handle: async ({ params }) => {
        await groups.remove(params.id, params.name);
        return empty(204);
      },
    }),
  ];
}

function ofGroups({ groups }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: `${BASE}/groups`,
      summary: "List static groups",
      access: "user",
      query: z.object({ status: one(z.enum(DEVICE_STATUSES).optional()) }),
      answers: { 200: { description: "Names", schema: z.array(z.string()) } },
      handle: async ({ query }) => json(await groups.names(query.status)),
    }),
    route({
      method: "DELETE",
      path: `${BASE}/groups/:name`,
      summary: "Take all devices out of a static group, which ends it",
      access: "user",
      params: GroupName,
      answers: { 200: { description: "How many they were", schema: ChangeShape }, 404: NO_GROUP },
      handle: async ({ params }) => json(presentChange(await groups.delete(params.name))),
    }),
    route({
      method: "GET",
      path: `${BASE}/groups/:name/devices`,
      summary: "List the ids of a static group's devices",
      access: "user",
      params: GroupName,
      query: z.object(pagingQuery()),
      answers: { 200: { description: "Ids", schema: Ids, headers: PAGED }, 404: NO_GROUP },
      handle: async ({ params, query, request }) => {
        const paging = { page: query.page, perPage: query.per_page };
        const { items, total } = await groups.members(params.name, paging);
        const headers = { link: linkHeader(request.url, query, { total }), "x-total-count": String(total) };
        return json(items, headers);
      },
    }),
    route({
      method: "PATCH",
      path: `${BASE}/groups/:name/devices`,
      summary: "Put devices into a static group",
      access: "user",
      params: GroupName,
      body: { schema: Ids, tooLarge: 413 },
      answers: {
        200: { description: "How many there are, and how many were moved", schema: ChangeShape },
        409: BEING_DELETED,
      },
      handle: async ({ params, body }) => json(presentChange(await groups.assignAll(body, params.name))),
    }),
    route({
      method: "DELETE",
      path: `${BASE}/groups/:name/devices`,
      summary: "Take devices out of a static group",
      access: "user",
      params: GroupName,
      body: { schema: Ids, tooLarge: 413 },
      answers: { 200: { description: "How many were in it", schema: ChangeShape } },
      handle: async ({ params, body }) => json(presentChange(await groups.removeAll(body, params.name))),
    }),
  ];
}

/** Static groups. */
export function groupRoutes(domain: Domain): Route[] {
  return [...ofDevices(domain), ...ofGroups(domain)];
}
