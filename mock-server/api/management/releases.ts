import * as z from "zod";
import type { Domain, Release } from "../../domain.ts";
import { notFound } from "../../errors.ts";
import { json } from "../answers.ts";
import { linkHeader, pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";
import { ArtifactShape, presentArtifact } from "./artifact-shape.ts";
import { contains, exactly, given, sortBy } from "./filters.ts";
import { timestamp } from "./times.ts";

const V1 = "/api/management/v1/deployments/deployments/releases";
const V2 = "/api/management/v2/deployments/deployments/releases";

/** Version 1 writes these names with capitals. */
const ReleaseV1 = z.object({
  Name: z.string(),
  Modified: z.string(),
  Artifacts: z.array(ArtifactShape),
  ArtifactsCount: z.int(),
  tags: z.array(z.string()),
  notes: z.string(),
});

const ReleaseV2 = z.object({
  name: z.string(),
  modified: z.string(),
  artifacts: z.array(ArtifactShape),
  artifacts_count: z.int(),
  tags: z.array(z.string()),
  notes: z.string(),
});

function presentV2({ name, modifiedMs, artifacts, artifactCount }: Release): z.infer<typeof ReleaseV2> {
  return {
    name,
    modified: timestamp(modifiedMs),
    artifacts: artifacts.map(presentArtifact),
    artifacts_count: artifactCount,
    tags: [],
    notes: "",
  };
}

function presentV1(release: Release): z.infer<typeof ReleaseV1> {
  const { name, modified, artifacts, artifacts_count, tags, notes } = presentV2(release);
  return { Name: name, Modified: modified, Artifacts: artifacts, ArtifactsCount: artifacts_count, tags, notes };
}

const filters = { name: contains, description: contains, device_type: exactly, update_type: exactly };
const sort = sortBy(["name", "modified", "artifacts_count"], { by: "name", order: "asc" });

type Filters = z.infer<z.ZodObject<typeof filters>>;

function filterOf({ name, description, device_type, update_type }: Filters) {
  return given({ name, description, deviceType: device_type, payloadType: update_type });
}

/** Releases: all artifacts of one name. */
export function releaseRoutes({ artifacts }: Domain): Route[] {
  const listV1 = { 200: { description: "Releases", schema: z.array(ReleaseV1) } };
  return [
    route({
      method: "GET",
      path: V1,
      summary: "List all releases",
      access: "user",
      query: z.object(filters),
      answers: listV1,
      handle: async ({ query }) => {
        const { items } = await artifacts.releases(filterOf(query), { by: "name", order: "asc" });
        return json(items.map(presentV1));
      },
    }),
    route({
      method: "GET",
      path: `${V1}/list`,
      summary: "List releases by the page",
      access: "user",
      query: z.object({ ...filters, ...pagingQuery(), sort }),
      answers: listV1,
      handle: async ({ query, request }) => {
        const paging = { page: query.page, perPage: query.per_page };
        const { items, total } = await artifacts.releases(filterOf(query), query.sort, paging);
        const headers = { link: linkHeader(request.url, query, { total }), "x-total-count": String(total) };
        return json(items.map(presentV1), headers);
      },
    }),
    route({
      method: "GET",
      path: V2,
      summary: "List releases by the page",
      access: "user",
      query: z.object({ ...filters, ...pagingQuery(), sort }),
      answers: { 200: { description: "Releases", schema: z.array(ReleaseV2) } },
      handle: async ({ query, request }) => {
        const paging = { page: query.page, perPage: query.per_page };
        const { items, total } = await artifacts.releases(filterOf(query), query.sort, paging);
        const headers = { link: linkHeader(request.url, query, { total }), "x-total-count": String(total) };
        return json(items.map(presentV2), headers);
      },
    }),
    route({
      method: "GET",
      path: `${V2}/:name`,
      summary: "Show a release",
      access: "user",
      params: z.object({ name: z.string() }),
      answers: {
        200: { description: "The release", schema: ReleaseV2 },
        404: { description: "There is no such release" },
      },
      handle: async ({ params }) => {
        const named = { name: { kind: "exact", values: [params.name] } } as const;
        const { items } = await artifacts.releases(named, { by: "name", order: "asc" });
        const [release] = items;
        if (release === undefined) throw notFound("release not found");
        return json(presentV2(release));
      },
    }),
  ];
}
