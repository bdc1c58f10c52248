import { given } from "@upkeep/shared/given";
import * as z from "zod";
import type { Domain, Release } from "../../domain.ts";
import { invalid } from "../../errors.ts";
import { json } from "../answers.ts";
import { PAGED } from "../headers.ts";
import { linkHeader, pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";
import { many, one } from "../validation.ts";
import { exactly } from "./filters.ts";
import { timestamp } from "./times.ts";

const BASE = "/api/management/v1alpha1/deployments/software";

/** The reference has manifests as well. */
const Kind = z.enum(["release", "manifest"]);

const Software = z.object({
  name: z.string(),
  kind: z.literal("release"),
  modified: z.string(),
  tags: z.array(z.string()),
  notes: z.string(),
});

function present({ name, modifiedMs, tags, notes }: Release): z.infer<typeof Software> {
  return { name, kind: "release", modified: timestamp(modifiedMs), tags: [...tags], notes };
}

const SORT_KEYS = {
  name: ({ name }: Release) => name,
  modified: ({ modifiedMs }: Release) => modifiedMs,
  tags: ({ tags }: Release) => tags.join(),
} as const;
const Sort = z.templateLiteral([z.enum(["name", "modified", "tags"]), ":", z.enum(["asc", "desc"])]);

function sorted(releases: readonly Release[], sort: z.infer<typeof Sort>): readonly Release[] {
  const [by, order] = sort.split(":");
  const key = by === "modified" || by === "tags" ? SORT_KEYS[by] : SORT_KEYS.name;
  const compare = (a: Release, b: Release): number => {
    const [one, other] = [key(a), key(b)];
    return one < other ? -1 : one > other ? 1 : 0;
  };
  return [...releases].sort((a, b) => (order === "desc" ? compare(b, a) : compare(a, b)));
}

/** Releases, as the reference shows them together with manifests, which do not exist here. */
export function softwareRoutes({ releases }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: BASE,
      summary: "List releases with what they share with the reference's manifests",
      access: "user",
      query: z.object({
        ...pagingQuery(),
        name: many(z.string()),
        name_prefix: one(z.string().optional()),
        kind: one(Kind.optional()),
        update_type: exactly,
        tag: many(z.string().transform((tag) => tag.toLowerCase())),
        sort: one(Sort.default("name:asc")),
      }),
      answers: { 200: { description: "Releases", schema: z.array(Software), headers: PAGED } },
      handle: async ({ query, request }) => {
        const { name, name_prefix: prefix, kind, update_type, tag, sort, page, per_page } = query;
        if (name.length > 0 && prefix !== undefined) throw invalid("name and name_prefix exclude each other");
        const filter = given({ payloadType: update_type, tags: tag.length === 0 ? undefined : tag });
        const { items } = await releases.list(filter, { by: "name", order: "asc" });
        const fits = (release: Release): boolean =>
          kind !== "manifest" &&
          (name.length === 0 || name.includes(release.name)) &&
          release.name.startsWith(prefix ?? "");
        const found = sorted(items.filter(fits), sort);
        const shown = found.slice((page - 1) * per_page, page * per_page);
        const total = found.length;
        const headers = { link: linkHeader(request.url, query, { total }), "x-total-count": String(total) };
        return json(shown.map(present), headers);
      },
    }),
    route({
      method: "GET",
      path: `${BASE}/tags`,
      summary: "List the tags of releases",
      access: "user",
      query: z.object({ kind: one(Kind.optional()) }),
      answers: { 200: { description: "Tags", schema: z.array(z.string()) } },
      handle: async ({ query: { kind } }) => json(kind === "manifest" ? [] : await releases.allTags()),
    }),
  ];
}
