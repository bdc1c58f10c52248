import { given } from "@upkeep/shared/given";
import * as z from "zod";
import type { Domain } from "../../domain.ts";
import type { DownloadLinks } from "../../releases/links.ts";
import type { Blobs } from "../../storage/blobs/index.ts";
import { empty, json } from "../answers.ts";
import { artifactLink } from "../download.ts";
import { PAGED } from "../headers.ts";
import { USER_LINK_LIFE_MS } from "../options.ts";
import { linkHeader, pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";
import { fields, many, Uuid } from "../validation.ts";
import { IndexedArtifactShape, type IndexingView, presentIndexed } from "./artifact-shape.ts";
import { contains, exactOrPrefix, sortBy } from "./filters.ts";
import { timestamp } from "./times.ts";

const BASE = "/api/management/v1/deployments";
const ARTIFACTS = `${BASE}/artifacts`;

export interface ArtifactPorts {
  readonly domain: Domain;
  readonly blobs: Blobs;
  readonly links: DownloadLinks;
  readonly indexing?: IndexingView;
}

const ArtifactId = z.object({ id: Uuid });
const NOT_FOUND = { description: "There is no such artifact" };
const LISTED = { description: "Artifacts", schema: z.array(IndexedArtifactShape) };
const textFilters = { name: contains, description: contains, device_type: contains };

function lists({ domain, indexing }: ArtifactPorts): Route[] {
  const { artifacts } = domain;
  const paging = pagingQuery();
  return [
    route({
      method: "GET",
      path: ARTIFACTS,
      summary: "List all artifacts",
      access: "user",
      query: z.object(textFilters),
      answers: { 200: LISTED },
      handle: async ({ query: { name, description, device_type } }) => {
        const filter = given({ name, description, deviceType: device_type });
        const { items } = await artifacts.list(filter, { by: "name", order: "asc" });
        return json(await presentIndexed(items, domain, indexing));
      },
    }),
    route({
      method: "GET",
      path: `${ARTIFACTS}/list`,
      summary: "List artifacts by the page",
      access: "user",
      query: z.object({
        ...textFilters,
        // Here alone, a page that makes no sense is the first one.
        page: paging.page.catch(1),
        per_page: paging.per_page.catch(20),
        sort: sortBy(["name", "modified"], { by: "name", order: "asc" }),
      }),
      answers: { 200: { ...LISTED, headers: PAGED } },
      handle: async ({ query, request }) => {
        const { name, description, device_type, sort, page, per_page } = query;
        const filter = given({ name, description, deviceType: device_type });
        const { items, total } = await artifacts.list(filter, sort, { page, perPage: per_page });
        const headers = { link: linkHeader(request.url, query, { total }), "x-total-count": String(total) };
        return json(await presentIndexed(items, domain, indexing), headers);
      },
    }),
    route({
      method: "GET",
      path: "/api/management/v2/deployments/artifacts",
      summary: "List artifacts by the page, by exact names or the beginning of one",
      access: "user",
      query: z.object({
        ...paging,
        name: many(z.string()),
        description: many(z.string()),
        device_type: many(z.string()),
      }),
      answers: { 200: { ...LISTED, headers: ["Link"] } },
      handle: async ({ query, request }) => {
        const { page, per_page } = query;
        const filter = given({
          name: exactOrPrefix(query.name),
          description: exactOrPrefix(query.description),
          deviceType: exactOrPrefix(query.device_type),
        });
        const { items, total } = await artifacts.list(
          filter,
          { by: "name", order: "asc" },
          { page, perPage: per_page },
        );
        const more = page * per_page < total;
        return json(await presentIndexed(items, domain, indexing), { link: linkHeader(request.url, query, { more }) });
      },
    }),
  ];
}

function single({ domain, blobs, links, indexing }: ArtifactPorts): Route[] {
  const { artifacts } = domain;
  return [
    route({
      method: "GET",
      path: `${ARTIFACTS}/:id`,
      summary: "Show an artifact",
      access: "user",
      params: ArtifactId,
      answers: { 200: { description: "The artifact", schema: IndexedArtifactShape }, 404: NOT_FOUND },
      handle: async ({ params }) => {
        const [artifact] = await presentIndexed([await artifacts.get(params.id)], domain, indexing);
        return json(artifact);
      },
    }),
    route({
      method: "GET",
      path: `${ARTIFACTS}/:id/download`,
      summary: "Get a link under which the artifact can be downloaded for some minutes",
      access: "user",
      params: ArtifactId,
      answers: {
        200: { description: "The link", schema: z.object({ uri: z.string(), expire: z.string() }) },
        404: NOT_FOUND,
      },
      handle: async ({ params, baseUrl }) => {
        const artifact = await artifacts.get(params.id);
        const { uri, expiresMs } = await artifactLink({ links, blobs }, artifact, USER_LINK_LIFE_MS, baseUrl);
        return json({ uri, expire: timestamp(expiresMs) });
      },
    }),
    route({
      method: "PUT",
      path: `${ARTIFACTS}/:id`,
      summary: "Change an artifact's description",
      access: "user",
      params: ArtifactId,
      body: { schema: fields({ description: z.string() }), tooLarge: 413 },
      answers: {
        204: { description: "Changed" },
        404: NOT_FOUND,
        422: { description: "It was part of a deployment, and stays as it was then" },
      },
      handle: async ({ params, body }) => {
        await artifacts.setDescription(params.id, body.description);
        return empty(204);
      },
    }),
    route({
      method: "DELETE",
      path: `${ARTIFACTS}/:id`,
      summary: "Delete an artifact",
      access: "user",
      params: ArtifactId,
      answers: {
        204: { description: "Deleted" },
        404: NOT_FOUND,
        409: { description: "It is part of an unfinished deployment" },
      },
      handle: async ({ params }) => {
        // The record first: bytes without a record are cleared away at the next start, the reverse would stay.
        for (const blob of await artifacts.delete(params.id)) await blobs.remove(blob);
        return empty(204);
      },
    }),
    route({
      method: "GET",
      path: `${BASE}/limits/storage`,
      summary: "Show how much may be stored",
      access: "user",
      answers: {
        200: {
          description:
            "The limit (0: as much as there is space) and what the artifacts take with their indexes, in bytes",
          schema: z.object({ limit: z.int(), usage: z.int() }),
        },
      },
      handle: async () => json({ limit: 0, usage: await artifacts.sizeBytes() }),
    }),
  ];
}

/** Artifacts that were uploaded. */
export function artifactRoutes(ports: ArtifactPorts): Route[] {
  return [...lists(ports), ...single(ports)];
}
