import { DEPLOYMENT_STATUSES } from "@upkeep/shared/protocol";
import * as z from "zod";
import type { DeploymentFilter, Domain } from "../../domain.ts";
import { notFound } from "../../errors.ts";
import { type Answer, created, empty, json } from "../answers.ts";
import { linkHeader, pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";
import { many, one, Uuid } from "../validation.ts";
import { DeploymentShape, presentDeployment, StatisticsShape } from "./deployment-shapes.ts";
import { given } from "./filters.ts";

const BASE = "/api/management/v1/deployments/deployments";
const V2 = "/api/management/v2/deployments/deployments";

const NewDeploymentBody = z.object({
  name: z.string().default(""),
  artifact_name: z.string().default(""),
  devices: z.array(z.string()).optional(),
  all_devices: z.boolean().optional(),
  force_installation: z.boolean().optional(),
});

const seconds = one(
  z
    .string()
    .regex(/^\d{1,12}$/, "must be seconds since 1970-01-01")
    .transform((text) => Number(text) * 1000)
    .optional(),
);

/** What both versions of the list can be asked for. */
const listQuery = {
  ...pagingQuery(),
  search: one(z.string().optional()),
  // `aborted` is what users call some of the finished ones.
  status: one(z.enum([...DEPLOYMENT_STATUSES, "aborted"]).optional()),
  type: one(z.enum(["software", "configuration"]).optional()),
  created_after: seconds,
  created_before: seconds,
  sort: one(z.enum(["asc", "desc"]).default("desc")),
};
type ListQuery = z.infer<z.ZodObject<typeof listQuery>>;

const LIST = { 200: { description: "Deployments", schema: z.array(DeploymentShape) } };
const DeploymentId = z.object({ id: Uuid });
const NOT_FOUND = { description: "There is no such deployment" };

async function list(
  { deployments }: Domain,
  query: ListQuery,
  url: string,
  more: Pick<DeploymentFilter, "ids" | "names"> = {},
): Promise<Answer> {
  const { status, search, created_after, created_before, sort, type } = query;
  const filter = {
    ...more,
    ...given({
      search,
      status: status === "aborted" ? ("finished" as const) : status,
      createdFromMs: created_after,
      // The whole of that second.
      createdToMs: created_before === undefined ? undefined : created_before + 999,
    }),
  };
  const { items, total } =
    type === "configuration"
      ? { items: [], total: 0 }
      : await deployments.list(filter, sort, { page: query.page, perPage: query.per_page });
  const headers = { link: linkHeader(url, query, { total }), "x-total-count": String(total) };
  return json(items.map(presentDeployment), headers);
}

function reading(domain: Domain): Route[] {
  const { deployments } = domain;
  return [
    route({
      method: "GET",
      path: BASE,
      summary: "List deployments, newest first",
      access: "user",
      query: z.object(listQuery),
      answers: LIST,
      handle: ({ query, request }) => list(domain, query, request.url),
    }),
    route({
      method: "GET",
      path: V2,
      summary: "List deployments, newest first, also by ids or names",
      access: "user",
      query: z.object({ ...listQuery, id: many(Uuid), name: many(z.string()) }),
      answers: LIST,
      handle: ({ query, request }) =>
        list(domain, query, request.url, {
          ...(query.id.length === 0 ? {} : { ids: query.id }),
          ...(query.name.length === 0 ? {} : { names: query.name }),
        }),
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
      body: { schema: z.object({ deployment_ids: z.array(Uuid).max(100).default([]) }), tooLarge: 413 },
      answers: {
        200: {
          description: "How many have each status",
          // An object, empty, when none were asked for.
          schema: z.union([z.array(z.object({ id: z.string(), stats: StatisticsShape })), z.strictObject({})]),
        },
        404: { description: "None of them is there" },
      },
      handle: async ({ body }) => {
        if (body.deployment_ids.length === 0) return json({});
        const found = await deployments.statisticsOf(body.deployment_ids);
        if (found.length === 0) throw notFound();
        return json(found.map(({ id, statistics }) => ({ id, stats: statistics })));
      },
    }),
  ];
}

function changing({ deployments }: Domain): Route[] {
  return [
    route({
      method: "POST",
      path: BASE,
      summary: "Deploy a release to a list of devices, or to all that are accepted",
      access: "user",
      body: { schema: NewDeploymentBody, tooLarge: 413 },
      answers: {
        201: { description: "Created; Location names it" },
        400: { description: "The request is malformed, or names devices that are not accepted" },
        409: { description: "The same is under way" },
        422: { description: "There is no such release" },
      },
      handle: async ({ body }) => {
        const { name, artifact_name, devices, all_devices, force_installation } = body;
        const options = given({ devices, allDevices: all_devices, forceInstallation: force_installation });
        const id = await deployments.create({ name, artifactName: artifact_name, ...options });
        return created(`${BASE}/${id}`);
      },
    }),
    route({
      method: "PUT",
      path: `${BASE}/:id/status`,
      summary: "Abort a deployment",
      access: "user",
      params: DeploymentId,
      body: {
        schema: z.object({ status: z.literal("aborted", { error: "Unexpected deployment status" }) }),
        tooLarge: 413,
      },
      answers: {
        204: { description: "Aborted" },
        400: { description: "Nothing but aborted can be asked for" },
        422: { description: "It is finished already, or was never there" },
      },
      handle: async ({ params }) => {
        await deployments.abort(params.id);
        return empty(204);
      },
    }),
  ];
}

/** Deployments as a whole. */
export function deploymentRoutes(domain: Domain): Route[] {
  return [...reading(domain), ...changing(domain)];
}
