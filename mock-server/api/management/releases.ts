import { given } from "@upkeep/shared/given";
import * as z from "zod";
import type { Domain, Release } from "../../domain.ts";
import { DomainError } from "../../errors.ts";
import type { Blobs } from "../../storage/blobs/index.ts";
import { empty, json } from "../answers.ts";
import { domainRefusal } from "../domain-refusals.ts";
import { PAGED } from "../headers.ts";
import { linkHeader, pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";
import { fields, many } from "../validation.ts";
import { ArtifactShape, presentArtifact } from "./artifact-shape.ts";
import { contains, exactly, sortBy } from "./filters.ts";
import { timestamp } from "./times.ts";

const V1 = "/api/management/v1/deployments/deployments/releases";
const V2 = "/api/management/v2/deployments/deployments/releases";
const ALL = "/api/management/v2/deployments/releases/all";

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

function presentV2({ name, modifiedMs, artifacts, artifactCount, tags, notes }: Release): z.infer<typeof ReleaseV2> {
  return {
    name,
    modified: timestamp(modifiedMs),
    artifacts: artifacts.map(presentArtifact),
    artifacts_count: artifactCount,
    tags: [...tags],
    notes,
  };
}

function presentV1(release: Release): z.infer<typeof ReleaseV1> {
  const { name, modified, artifacts, artifacts_count, tags, notes } = presentV2(release);
  return { Name: name, Modified: modified, Artifacts: artifacts, ArtifactsCount: artifacts_count, tags, notes };
}

const filters = { name: contains, description: contains, device_type: exactly, update_type: exactly };
const sort = sortBy(["name", "modified", "artifacts_count"], { by: "name", order: "asc" });

/** Version 2 finds releases by their tags as well. */
const tagged = { ...filters, tag: many(z.string().transform((tag) => tag.toLowerCase())) };

type Filters = z.infer<z.ZodObject<typeof filters>>;

function filterOf({ name, description, device_type, update_type }: Filters) {
  return given({ name, description, deviceType: device_type, payloadType: update_type });
}

function listing({ releases }: Domain): Route[] {
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
        const { items } = await releases.list(filterOf(query), { by: "name", order: "asc" });
        return json(items.map(presentV1));
      },
    }),
    route({
      method: "GET",
      path: `${V1}/list`,
      summary: "List releases by the page",
      access: "user",
      query: z.object({ ...filters, ...pagingQuery(), sort }),
      answers: { 200: { ...listV1[200], headers: PAGED } },
      handle: async ({ query, request }) => {
        const paging = { page: query.page, perPage: query.per_page };
        const { items, total } = await releases.list(filterOf(query), query.sort, paging);
        const headers = { link: linkHeader(request.url, query, { total }), "x-total-count": String(total) };
        return json(items.map(presentV1), headers);
      },
    }),
    route({
      method: "GET",
      path: V2,
      summary: "List releases by the page",
      access: "user",
      query: z.object({ ...tagged, ...pagingQuery(), sort }),
      answers: { 200: { description: "Releases", schema: z.array(ReleaseV2), headers: PAGED } },
      handle: async ({ query, request }) => {
        const filter = { ...filterOf(query), ...(query.tag.length === 0 ? {} : { tags: query.tag }) };
        const paging = { page: query.page, perPage: query.per_page };
        const { items, total } = await releases.list(filter, query.sort, paging);
        const headers = { link: linkHeader(request.url, query, { total }), "x-total-count": String(total) };
        return json(items.map(presentV2), headers);
      },
    }),
  ];
}

function single({ releases }: Domain): Route[] {
  const params = z.object({ name: z.string() });
  const notFound = { description: "There is no such release" };
  return [
    route({
      method: "GET",
      path: `${V2}/:name`,
      summary: "Show a release",
      access: "user",
      params,
      answers: { 200: { description: "The release", schema: ReleaseV2 }, 404: notFound },
      handle: async ({ params: { name } }) => json(presentV2(await releases.get(name))),
    }),
    route({
      method: "PATCH",
      path: `${V2}/:name`,
      summary: "Write the notes of a release",
      access: "user",
      params,
      body: { schema: fields({ notes: z.string() }), tooLarge: 413 },
      answers: { 204: { description: "Written" }, 404: notFound },
      handle: async ({ params: { name }, body }) => {
        await releases.setNotes(name, body.notes);
        return empty(204);
      },
    }),
    route({
      method: "PUT",
      path: `${V2}/:name/tags`,
      summary: "Put these tags on a release, in place of those that it has",
      access: "user",
      params,
      body: { schema: z.array(z.string()), tooLarge: 413 },
      answers: {
        204: { description: "They are on it" },
        404: notFound,
        409: { description: "There are too many different tags on all releases together" },
      },
      handle: async ({ params: { name }, body }) => {
        await releases.setTags(name, body);
        return empty(204);
      },
    }),
  ];
}

function acrossReleases({ releases }: Domain, blobs: Blobs): Route[] {
  return [
    route({
      method: "GET",
      path: `${ALL}/tags`,
      summary: "List the tags of all releases",
      access: "user",
      answers: { 200: { description: "Tags", schema: z.array(z.string()) } },
      handle: async () => json(await releases.allTags()),
    }),
    route({
      method: "GET",
      path: `${ALL}/types`,
      summary: "List the payload types of all releases",
      access: "user",
      answers: { 200: { description: "Payload types", schema: z.array(z.string()) } },
      handle: async () => json(await releases.allTypes()),
    }),
    route({
      method: "DELETE",
      path: V2,
      summary: "Delete releases with all their artifacts",
      access: "user",
      query: z.object({ name: many(z.string()) }),
      answers: {
        204: { description: "Deleted" },
        400: { description: "None is named" },
        409: { description: "An unfinished deployment has one of them: active_deployments names those" },
      },
      handle: async ({ query, request }) => {
        try {
          for (const blob of await releases.delete(query.name)) await blobs.remove(blob);
          return empty(204);
        } catch (error) {
          if (!(error instanceof DomainError && error.is("releases-in-use"))) throw error;
          const { status, message, metadata } = domainRefusal(error);
          return { ...json({ error: message, request_id: request.id, ...metadata }), status };
        }
      },
    }),
  ];
}

/** Releases: all artifacts of one name. */
export function releaseRoutes(domain: Domain, blobs: Blobs): Route[] {
  return [...listing(domain), ...single(domain), ...acrossReleases(domain, blobs)];
}
