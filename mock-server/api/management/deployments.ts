import { given } from "@upkeep/shared/given";
import type { Logger } from "@upkeep/shared/logging";
import { optional } from "@upkeep/shared/protocol";
import * as z from "zod";
import {
  CONTROLLED_STATES,
  type Deployment,
  type DeploymentSearch,
  type Domain,
  type NewDeployment,
  silenceWarning,
} from "../../domain.ts";
import { invalid, notFound } from "../../errors.ts";
import { type Answer, created, empty, json, warning } from "../answers.ts";
import { PAGED } from "../headers.ts";
import { linkHeader, pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";
import { fields, many, one, Uuid } from "../validation.ts";
import { ControlMapBody, controlMapWarning } from "./control-map.ts";
import {
  DeploymentShape,
  DeploymentShapeV2,
  presentDeployment,
  presentDeploymentV2,
  StatisticsShape,
} from "./deployment-shapes.ts";
import { DynamicBody, GroupBody, newDeploymentOf, StaticBody, staticDeploymentOf } from "./new-deployment.ts";
import { seconds } from "./times.ts";

const BASE = "/api/management/v1/deployments/deployments";
const V2 = "/api/management/v2/deployments/deployments";

type StatusFilters = Readonly<Record<string, Pick<DeploymentSearch, "status" | "scheduled">>>;

/** The values of `status` in version 1 of the list. Users call some of the finished deployments aborted. */
const STATUS_FILTERS: StatusFilters = {
  pending: { status: "pending" },
  inprogress: { status: "inprogress" },
  finished: { status: "finished" },
  aborted: { status: "finished" },
};

/** The values of `status` in version 2. */
const STATUS_FILTERS_V2: StatusFilters = {
  ...STATUS_FILTERS,
  pending: { status: "pending", scheduled: false },
  scheduled: { status: "pending", scheduled: true },
};

/** The query parameter `status`, read as the filter that it stands for. */
function statusQuery(filters: StatusFilters) {
  const words = z.enum(Object.keys(filters)).transform((word) => filters[word] ?? {});
  return one(words.optional());
}

/** Query of both versions of the list. */
const listQuery = (statuses: StatusFilters) => ({
  ...pagingQuery(),
  search: one(z.string().optional()),
  status: statusQuery(statuses),
  type: one(z.enum(["software", "configuration"]).optional()),
  created_after: seconds,
  created_before: seconds,
  sort: one(z.enum(["asc", "desc"]).default("desc")),
});
type ListQuery = z.infer<z.ZodObject<ReturnType<typeof listQuery>>>;

/** Limit of deployments that a search by device finds. */
const HISTORY_MAX = 500;

const listed = (shape: z.ZodType) => ({
  200: { description: "Deployments", schema: z.array(shape), headers: PAGED },
});
const DeploymentId = z.object({ id: Uuid });
const NOT_FOUND = { description: "There is no such deployment" };

async function list(
  { deployments }: Domain,
  query: ListQuery,
  url: string,
  more: DeploymentSearch,
  present: (deployment: Deployment) => object,
): Promise<Answer> {
  const { search, created_after, created_before, sort, type } = query;
  const filter = {
    ...more,
    ...given({ search, kind: type, createdFromMs: created_after, createdToMs: created_before }),
  };
  const { items, total } = await deployments.list(filter, sort, { page: query.page, perPage: query.per_page });
  const headers = { link: linkHeader(url, query, { total }), "x-total-count": String(total) };
  return json(items.map(present), headers);
}

/** A search for deployments may name a device as the console shows it. */
async function deploymentsOfDevice(
  { inventory, deployments }: Domain,
  { scope, attribute, value }: { scope: "identity" | "tags"; attribute: string; value: string },
): Promise<Pick<DeploymentSearch, "ids"> | undefined> {
  const named = { terms: [{ scope, attribute, type: "$eq", value }] } as const;
  const [device] = (await inventory.search(named, { page: 1, perPage: 1 })).items;
  if (device === undefined) return undefined;
  const { items } = await deployments.history(device.id, undefined, { page: 1, perPage: HISTORY_MAX });
  return { ids: items.map(({ deployment }) => deployment.id) };
}

function reading(domain: Domain): Route[] {
  const { deployments } = domain;
  return [
    route({
      method: "GET",
      path: BASE,
      summary: "List deployments, newest first",
      access: "user",
      query: z.object(listQuery(STATUS_FILTERS)),
      answers: listed(DeploymentShape),
      handle: ({ query, request }) => list(domain, query, request.url, query.status ?? {}, presentDeployment),
    }),
    route({
      method: "GET",
      path: V2,
      summary: "List deployments, newest first, also by ids or names",
      access: "user",
      query: z.object({
        ...listQuery(STATUS_FILTERS_V2),
        id: many(Uuid),
        name: many(z.string()),
        id_attribute: one(z.string().optional()),
        id_scope: one(z.enum(["identity", "tags"]).default("identity")),
      }),
      answers: listed(DeploymentShapeV2),
      handle: async ({ query, request }) => {
        const more = {
          ...query.status,
          ...(query.id.length === 0 ? {} : { ids: query.id }),
          ...(query.name.length === 0 ? {} : { names: query.name }),
        };
        const [name] = query.name;
        const { id_attribute: attribute, id_scope: scope } = query;
        const listOf = (search: DeploymentSearch) => list(domain, query, request.url, search, presentDeploymentV2);
        if (name === undefined || attribute === undefined) return listOf(more);
        const { total } = await domain.deployments.list({ names: query.name }, "desc", { page: 1, perPage: 1 });
        const ofDevice = total > 0 ? undefined : await deploymentsOfDevice(domain, { scope, attribute, value: name });
        return listOf(ofDevice === undefined ? more : { ...query.status, ...ofDevice });
      },
    }),
    route({
      method: "GET",
      path: `${BASE}/:id`,
      summary: "Show a deployment",
      access: "user",
      params: DeploymentId,
      answers: { 200: { description: "The deployment", schema: DeploymentShape }, 404: NOT_FOUND },
      handle: async ({ params }) => json(presentDeployment(await deployments.get(params.id))),
    }),
    route({
      method: "GET",
      path: `${BASE}/:id/statistics`,
      summary: "Count a deployment's devices by status",
      access: "user",
      params: DeploymentId,
      answers: { 200: { description: "How many have each status", schema: StatisticsShape }, 404: NOT_FOUND },
      handle: async ({ params }) => json(await deployments.statistics(params.id)),
    }),
    route({
      method: "POST",
      path: `${BASE}/statistics/list`,
      summary: "Count the devices of several deployments by status",
      access: "user",
      permission: "read",
      body: {
        schema: fields({ deployment_ids: optional(z.array(Uuid).max(100)) }),
        tooLarge: 413,
        example: { deployment_ids: ["5e0a6d5c-3f0e-4c0c-8f0a-2f6f2f0a8d11"] },
      },
      answers: {
        200: {
          description: "How many have each status",
          // Always an object; empty without requested attributes.
          schema: z.union([z.array(z.object({ id: z.string(), stats: StatisticsShape })), z.strictObject({})]),
        },
        404: { description: "None of them is there" },
      },
      handle: async ({ body: { deployment_ids: ids = [] } }) => {
        if (ids.length === 0) return json({});
        const found = await deployments.statisticsOf(ids);
        if (found.length === 0) throw notFound();
        return json(found.map(({ id, statistics }) => ({ id, stats: statistics })));
      },
    }),
  ];
}

const EXAMPLE = {
  name: "the new sensor",
  artifact_name: "release-2",
  phases: [{ batch_size: 10, success_threshold: 90 }, { batch_size: 90 }],
  retries: 1,
};
const EXAMPLE_FILTER = "0f1c6a51-54c1-4a4f-9a3e-2a0c2b6f7d10";

/** Warnings about an update control map. */
const MAP_WARNING = "X-Upkeep-Warning tells that an update control map is for clients that ask for it";

/** The reference's web interface repeats the group of the path. @throws DomainError (invalid) if they differ. */
function checkGroup(group: string | undefined, name: string): void {
  if (group === undefined || group === name) return;
  throw invalid(`group: must be ${JSON.stringify(name)}, as in the path, not ${JSON.stringify(group.slice(0, 80))}`);
}

const CREATED = {
  201: {
    description: `Created; Location names it. ${MAP_WARNING}, and names a value that may fail healthy devices`,
    headers: ["Location", "X-Upkeep-Warning"],
  },
  400: { description: "The request is malformed, or names devices that are not accepted" },
  409: { description: "The same is under way; or the search finds another number of accepted devices now" },
  422: { description: "There is no such release" },
} as const;

function creating(domain: Domain, logger: Logger): Route[] {
  const create = async (base: string, request: NewDeployment): Promise<Answer> => {
    const id = await domain.deployments.create(request);
    const silence = silenceWarning(request.silentAfterMs);
    if (silence !== undefined) logger.warning(silence, { deployment: id });
    return created(`${base}/${id}`, silence, controlMapWarning(request.updateControlMap));
  };
  return [
    route({
      method: "POST",
      path: BASE,
      summary:
        "Deploy a release to a list of devices, to the accepted ones that a search finds now, or to all accepted ones",
      access: "user",
      body: { schema: StaticBody, tooLarge: 413, example: { ...EXAMPLE, all_devices: true } },
      answers: CREATED,
      handle: async ({ body }) => create(BASE, await staticDeploymentOf(domain, body)),
    }),
    route({
      method: "POST",
      path: `${BASE}/group/:name`,
      summary: "Deploy a release to the accepted devices that are in a static group now",
      access: "user",
      params: z.object({ name: z.string() }),
      body: { schema: GroupBody, tooLarge: 413, example: EXAMPLE },
      answers: CREATED,
      handle: ({ params, body }) => {
        checkGroup(body.group, params.name);
        return create(BASE, { ...newDeploymentOf(body), group: params.name });
      },
    }),
    route({
      method: "POST",
      path: V2,
      summary: "Deploy a release to the devices that match a filter while the deployment is open",
      access: "user",
      body: { schema: DynamicBody, tooLarge: 413, example: { ...EXAMPLE, filter_id: EXAMPLE_FILTER } },
      answers: { ...CREATED, 404: { description: "There is no such filter" } },
      handle: ({ body }) => create(V2, newDeploymentOf(body)),
    }),
  ];
}

function retrying({ deployments }: Domain): Route {
  return route({
    method: "POST",
    path: `${BASE}/:id/retry`,
    summary: "Deploy the same release again, without phases, to the accepted devices that failed",
    access: "user",
    params: DeploymentId,
    body: { schema: fields({ name: optional(z.string()) }), tooLarge: 413, absent: {} },
    answers: {
      201: { description: "Created; Location names it, and its retry_of this one", headers: ["Location"] },
      400: { description: "No accepted device has failed" },
      404: NOT_FOUND,
      409: { description: "The same is under way" },
      422: { description: "It delivered a configuration, or its release is gone" },
    },
    handle: async ({ params, body }) => created(`${BASE}/${await deployments.retry(params.id, body.name)}`),
  });
}

/** Operations on one deployment. */
const WANTED = ["aborted", "finished", "paused", "resumed"] as const;

function changing({ deployments }: Domain): Route[] {
  const finished = { 422: { description: "It is finished already, or was never there" } };
  const change = {
    aborted: (id: string) => deployments.abort(id),
    finished: (id: string) => deployments.finish(id),
    paused: (id: string) => deployments.pause(id),
    resumed: (id: string) => deployments.resume(id),
  } satisfies Record<(typeof WANTED)[number], (id: string) => Promise<void>>;
  return [
    route({
      method: "PUT",
      path: `${BASE}/:id/status`,
      summary: "Abort a deployment, finish one to a filter, pause one or let it go on",
      access: "user",
      params: DeploymentId,
      body: { schema: fields({ status: z.enum(WANTED, { error: "Unexpected deployment status" }) }), tooLarge: 413 },
      answers: { 204: { description: "Done" }, 400: { description: "There is no such status" }, ...finished },
      handle: async ({ params, body }) => {
        await change[body.status](params.id);
        return empty(204);
      },
    }),
    route({
      method: "PATCH",
      path: `${BASE}/:id`,
      summary: "Change where the devices of a deployment pause",
      access: "user",
      params: DeploymentId,
      body: { schema: fields({ update_control_map: z.nullable(ControlMapBody) }), tooLarge: 413 },
      answers: { 204: { description: `Changed. ${MAP_WARNING}`, headers: ["X-Upkeep-Warning"] }, ...finished },
      handle: async ({ params, body }) => {
        await deployments.setControlMap(params.id, body.update_control_map);
        return empty(204, warning(controlMapWarning(body.update_control_map)));
      },
    }),
    route({
      method: "POST",
      path: `${BASE}/:id/continue`,
      summary: "Let devices that pause go on, before these states or before all",
      access: "user",
      params: DeploymentId,
      body: {
        schema: fields({ states: optional(z.array(z.enum(CONTROLLED_STATES))) }),
        tooLarge: 413,
        absent: {},
      },
      answers: { 204: { description: "They go on" }, ...finished },
      handle: async ({ params, body }) => {
        await deployments.continueUpdate(params.id, body.states);
        return empty(204);
      },
    }),
  ];
}

/** Deployments. */
export function deploymentRoutes(domain: Domain, logger: Logger): Route[] {
  return [...reading(domain), ...creating(domain, logger), retrying(domain), ...changing(domain)];
}
