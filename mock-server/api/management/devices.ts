import { given } from "@upkeep/shared/given";
import { optional, recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import { DEVICE_STATUSES, DEVICE_TIERS, type Device, type Domain, SETTABLE_STATUSES } from "../../domain.ts";
import { DomainError } from "../../errors.ts";
import { empty, json } from "../answers.ts";
import { linkHeader, pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";
import { fields, many, one } from "../validation.ts";
import { ContactShape, presentContact } from "./contact-shape.ts";
import { timestamp } from "./times.ts";

const BASE = "/api/management/v2/devauth";

const DeviceStatusWord = z.enum(DEVICE_STATUSES);
const Tier = z.enum(DEVICE_TIERS);
const IdentityData = recordOf(z.unknown());

export const DeviceShape = z.object({
  id: z.string(),
  identity_data: IdentityData,
  status: DeviceStatusWord,
  tier: Tier,
  decommissioning: z.boolean(),
  created_ts: z.string(),
  updated_ts: z.string(),
  check_in_time: z.string().optional(),
  ...ContactShape,
  auth_sets: z.array(
    z.object({
      id: z.string(),
      identity_data: IdentityData,
      pubkey: z.string(),
      tier: Tier,
      ts: z.string(),
      status: z.string(),
    }),
  ),
});

function present(device: Device): z.infer<typeof DeviceShape> {
  return {
    id: device.id,
    identity_data: device.identityData,
    status: device.status,
    tier: device.tier,
    decommissioning: false,
    created_ts: timestamp(device.createdMs),
    updated_ts: timestamp(device.updatedMs),
    ...(device.checkInMs === undefined ? {} : { check_in_time: timestamp(device.checkInMs) }),
    ...presentContact(device),
    auth_sets: device.authSets.map((set) => ({
      id: set.id,
      identity_data: set.identityData,
      pubkey: set.publicKey,
      tier: set.tier,
      ts: timestamp(set.createdMs),
      status: set.status,
    })),
  };
}

/** A single value is a list of one. */
function oneOrMany<S extends z.ZodType>(schema: S) {
  return z
    .union([z.array(schema), schema.transform((value) => [value])])
    .nullish()
    .transform((value) => value ?? []);
}

const DeviceId = z.object({ id: z.string() });
const AuthSetId = z.object({ id: z.string(), set: z.string() });
const NOT_FOUND = { description: "There is no such device" };

const UNLIMITED = -1;
const LimitName = z.object({
  name: z.literal("max_devices", { error: (issue) => `unsupported limit ${String(issue.input).slice(0, 80)}` }),
});

function reading({ devices }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: `${BASE}/devices`,
      summary: "List devices with their keys",
      access: "user",
      query: z.object({ ...pagingQuery(), status: many(DeviceStatusWord), id: many(z.string()) }),
      answers: {
        200: { description: "Devices, by status and then id", schema: z.array(DeviceShape), headers: ["Link"] },
      },
      handle: async ({ query, request }) => {
        const { page, per_page, status, id } = query;
        const filter = {
          ...(status.length === 0 ? {} : { statuses: status }),
          ...(id.length === 0 ? {} : { ids: id }),
        };
        const { items, total } = await devices.list(filter, { page, perPage: per_page });
        const more = page * per_page < total;
        return json(items.map(present), { link: linkHeader(request.url, query, { more }) });
      },
    }),
    route({
      method: "POST",
      path: `${BASE}/devices/search`,
      summary: "Find devices by ids and statuses; as GET, for many ids",
      access: "user",
      permission: "read",
      query: z.object(pagingQuery()),
      body: {
        schema: fields({ id: oneOrMany(z.string()), status: oneOrMany(z.string()) }),
        form: true,
        tooLarge: 413,
        absent: { id: [], status: [] },
        example: { status: ["pending"] },
      },
      answers: {
        200: { description: "Devices, by status and then id", schema: z.array(DeviceShape), headers: ["Link"] },
      },
      handle: async ({ query, body, request }) => {
        const { page, per_page } = query;
        // No device has an unknown status.
        const statuses = DEVICE_STATUSES.filter((status) => body.status.includes(status));
        const filter = {
          ...(body.status.length === 0 ? {} : { statuses }),
          ...(body.id.length === 0 ? {} : { ids: body.id }),
        };
        const nothingMatches = body.status.length > 0 && statuses.length === 0;
        const { items, total } = nothingMatches
          ? { items: [], total: 0 }
          : await devices.list(filter, { page, perPage: per_page });
        const more = page * per_page < total;
        return json(items.map(present), { link: linkHeader(request.url, query, { more }) });
      },
    }),
    route({
      method: "GET",
      path: `${BASE}/devices/count`,
      summary: "Count devices",
      access: "user",
      query: z.object({ status: one(DeviceStatusWord.optional()) }),
      answers: { 200: { description: "How many", schema: z.object({ count: z.int() }) } },
      handle: async ({ query }) => json({ count: await devices.count(query.status) }),
    }),
    route({
      method: "GET",
      path: `${BASE}/devices/:id`,
      summary: "Show a device with its keys",
      access: "user",
      params: DeviceId,
      answers: { 200: { description: "The device", schema: DeviceShape }, 404: NOT_FOUND },
      handle: async ({ params }) => json(present(await devices.get(params.id))),
    }),
    route({
      method: "GET",
      path: `${BASE}/devices/:id/auth/:set/status`,
      summary: "Show the status of a device's key",
      access: "user",
      params: AuthSetId,
      answers: { 200: { description: "The status", schema: z.object({ status: z.string() }) }, 404: NOT_FOUND },
      handle: async ({ params }) => json({ status: await devices.authSetStatus(params.id, params.set) }),
    }),
    route({
      method: "GET",
      path: `${BASE}/limits/:name`,
      summary: "Show how many devices may be accepted: max_devices",
      access: "user",
      params: LimitName,
      answers: { 200: { description: "-1: as many as there are", schema: fields({ limit: z.int() }) } },
      handle: async () => json({ limit: (await devices.limit()) ?? UNLIMITED }),
    }),
  ];
}

function changing({ devices }: Domain): Route[] {
  return [
    route({
      method: "POST",
      path: `${BASE}/devices`,
      summary: "Announce a device and its key, accepted when it first asks",
      access: "user",
      body: {
        schema: fields({
          identity_data: z.unknown(),
          pubkey: z.string(),
          force: optional(z.boolean()),
          tier: optional(Tier),
        }),
        tooLarge: 413,
      },
      answers: {
        201: { description: "Announced", headers: ["Location"] },
        400: { description: "Identity or key is malformed" },
        409: { description: "The device is known: this is it", schema: DeviceShape },
      },
      handle: async ({ body }) => {
        try {
          const { identity_data, pubkey, force, tier } = body;
          const id = await devices.preauthorize(identity_data, pubkey, given({ force, tier }));
          return empty(201, { location: `devices/${id}` });
        } catch (error) {
          if (!(error instanceof DomainError && error.is("device-exists"))) throw error;
          return { ...json(present(error.details.device as Device)), status: 409 };
        }
      },
    }),
    route({
      method: "PUT",
      path: `${BASE}/limits/:name`,
      summary: "Limit how many devices may be accepted: max_devices",
      access: "user",
      params: LimitName,
      body: { schema: fields({ limit: z.int().min(UNLIMITED) }), tooLarge: 413 },
      answers: { 204: { description: "Limited; devices that are accepted stay so" } },
      handle: async ({ body }) => {
        await devices.setLimit(body.limit === UNLIMITED ? undefined : body.limit);
        return empty(204);
      },
    }),
    route({
      method: "DELETE",
      path: `${BASE}/devices/:id`,
      summary: "Decommission a device: forget it, its keys and its inventory",
      access: "user",
      params: DeviceId,
      answers: { 204: { description: "Forgotten" }, 404: NOT_FOUND },
      handle: async ({ params }) => {
        await devices.decommission(params.id);
        return empty(204);
      },
    }),
    route({
      method: "PUT",
      path: `${BASE}/devices/:id/auth/:set/status`,
      summary: "Accept, reject or dismiss a device's key",
      access: "user",
      params: AuthSetId,
      body: { schema: fields({ status: z.enum(SETTABLE_STATUSES) }), tooLarge: 413 },
      answers: {
        204: { description: "Done" },
        400: { description: "There is no way from its status to this one" },
        404: NOT_FOUND,
        422: { description: "As many devices are accepted as may be" },
      },
      handle: async ({ params, body }) => {
        await devices.setAuthSetStatus(params.id, params.set, body.status);
        return empty(204);
      },
    }),
    route({
      method: "DELETE",
      path: `${BASE}/devices/:id/auth/:set`,
      summary: "Forget a device's key",
      access: "user",
      params: AuthSetId,
      answers: { 204: { description: "Forgotten" }, 404: NOT_FOUND },
      handle: async ({ params }) => {
        await devices.deleteAuthSet(params.id, params.set);
        return empty(204);
      },
    }),
    route({
      method: "DELETE",
      path: `${BASE}/tokens/:id`,
      summary: "Make the tokens of a key worthless",
      access: "user",
      params: DeviceId,
      answers: { 204: { description: "Worthless" }, 404: { description: "There is no such key" } },
      handle: async ({ params }) => {
        await devices.revokeTokens(params.id);
        return empty(204);
      },
    }),
  ];
}

/** Devices and their authentication sets. */
export function deviceRoutes(domain: Domain): Route[] {
  return [...reading(domain), ...changing(domain)];
}
