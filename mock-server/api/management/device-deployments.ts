import { given } from "@upkeep/shared/given";
import * as z from "zod";
import { DEVICE_DEPLOYMENT_FILTERS, type Domain, statusesOf } from "../../domain.ts";
import { empty, json } from "../answers.ts";
import { PAGED } from "../headers.ts";
import { linkHeader, pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";
import { ignored, one, Uuid } from "../validation.ts";
import {
  DeploymentShape,
  DeviceDeploymentShape,
  presentDeployment,
  presentDeviceDeployment,
  presentWatchedDevice,
  WatchedDeviceShape,
} from "./deployment-shapes.ts";
import { sortBy } from "./filters.ts";

const BASE = "/api/management/v1/deployments/deployments";
/** Pages of a device's history are short. */
const HISTORY_PAGE_MAX = 20;

const DeploymentId = z.object({ id: Uuid });
const DeviceId = z.object({ device: z.string() });
const StatusFilter = one(z.enum(DEVICE_DEPLOYMENT_FILTERS).optional());
const NOT_FOUND = { description: "There is no such deployment" };
const LIST = {
  200: { description: "Device deployments of those that have asked", schema: z.array(DeviceDeploymentShape) },
  404: NOT_FOUND,
};

/** The values of `sort`, with the columns that they stand for. */
const SORTS = {
  status: "status",
  id: "device_id",
  created: "created_ms",
  started: "started_ms",
  finished: "finished_ms",
  attempts: "attempt",
} as const;
type SortWord = keyof typeof SORTS;
const SORT_WORDS = Object.keys(SORTS) as SortWord[];

function ofDeployment({ deployments, insight }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: `${BASE}/:id/devices`,
      summary: "List what each device has made of a deployment",
      access: "user",
      params: DeploymentId,
      query: z.object({ status: StatusFilter }),
      answers: LIST,
      handle: async ({ params, query }) => {
        const { items } = await deployments.devices(params.id, query.status);
        return json(items.map(presentDeviceDeployment));
      },
    }),
    route({
      method: "GET",
      path: `${BASE}/:id/devices/list`,
      summary: "List what each device has made of a deployment, by the page",
      access: "user",
      params: DeploymentId,
      query: z.object({
        ...pagingQuery(),
        status: StatusFilter,
        deployment_id: ignored("the path names the deployment"),
        text: one(z.string().optional()).meta({
          description: "A part of id, identity, substate or reason, in any case",
        }),
        reason: one(z.string().optional()).meta({ description: "Only failures with this reason" }),
        sort: sortBy<SortWord>(SORT_WORDS, { by: "status", order: "asc" }),
        unasked: one(z.enum(["true", "false"]).default("false")).meta({
          description: "true: also devices that have not asked yet",
        }),
      }),
      answers: {
        200: { description: "Device deployments", schema: z.array(WatchedDeviceShape), headers: PAGED },
        404: NOT_FOUND,
      },
      handle: async ({ params, query, request }) => {
        const { status, text, reason, sort, unasked } = query;
        const search = {
          ...(status === undefined ? {} : { statuses: statusesOf(status) }),
          ...given({ text, reason }),
          unasked: unasked === "true",
          sort: { by: SORTS[sort.by], order: sort.order },
        };
        const { items, total } = await insight.devices(params.id, search, {
          page: query.page,
          perPage: query.per_page,
        });
        const headers = { link: linkHeader(request.url, query, { total }), "x-total-count": String(total) };
        return json(items.map(presentWatchedDevice), headers);
      },
    }),
    route({
      method: "GET",
      path: `${BASE}/:id/device_list`,
      summary: "List the ids of all devices that a deployment targets",
      access: "user",
      params: DeploymentId,
      answers: { 200: { description: "Ids of devices", schema: z.array(z.string()) }, 404: NOT_FOUND },
      handle: async ({ params }) => json(await deployments.targets(params.id)),
    }),
  ];
}

function ofDevice({ deployments }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: `${BASE}/devices/:device`,
      summary: "List what a device has done, newest first",
      access: "user",
      params: DeviceId,
      query: z.object({ ...pagingQuery(HISTORY_PAGE_MAX), status: StatusFilter }),
      answers: {
        200: {
          description: "Deployments with what the device made of them",
          schema: z.array(z.object({ id: z.string(), deployment: DeploymentShape, device: DeviceDeploymentShape })),
          headers: PAGED,
        },
      },
      handle: async ({ params, query, request }) => {
        const paging = { page: query.page, perPage: query.per_page };
        const { items, total } = await deployments.history(params.device, query.status, paging);
        const entries = items.map(({ deployment, device }) => ({
          id: `${deployment.id}.${device.deviceId}`,
          deployment: presentDeployment(deployment),
          device: presentDeviceDeployment(device),
        }));
        const headers = { link: linkHeader(request.url, query, { total }), "x-total-count": String(total) };
        return json(entries, headers);
      },
    }),
    route({
      method: "DELETE",
      path: `${BASE}/devices/:device`,
      summary: "Abort whatever a device has not finished",
      access: "user",
      params: DeviceId,
      answers: { 204: { description: "Aborted, or there was nothing to abort" } },
      handle: async ({ params }) => {
        await deployments.abortDevice(params.device);
        return empty(204);
      },
    }),
    route({
      method: "DELETE",
      path: `${BASE}/devices/:device/history`,
      summary: "Delete what a device has finished from its history",
      access: "user",
      params: DeviceId,
      answers: { 204: { description: "Deleted" } },
      handle: async ({ params }) => {
        await deployments.deleteHistory(params.device);
        return empty(204);
      },
    }),
  ];
}

/** What single devices make of deployments. */
export function deviceDeploymentRoutes(domain: Domain): Route[] {
  return [...ofDeployment(domain), ...ofDevice(domain)];
}
