import { PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import * as z from "zod";
import { one } from "./validation.ts";

const PER_PAGE_DEFAULT = 20;
const PAGE_MAX = 2 ** 31;

function positive(fault: string) {
  return z.string().transform((text, context) => {
    const value = Number(text);
    if (/^\d{1,10}$/.test(text) && value >= 1 && value <= PAGE_MAX) return value;
    context.addIssue({ code: "custom", message: fault.replace("%", JSON.stringify(text)), input: undefined });
    return z.NEVER;
  });
}

/** `page` and `per_page` as every list takes them. */
export function pagingQuery(perPageMax: number = PROTOCOL_LIMITS.pageSizeMax) {
  return {
    page: one(positive("invalid page query: %").default(1)),
    per_page: one(
      positive("invalid per_page query: value must be a non-zero positive integer")
        .refine((value) => value <= perPageMax, `parameter "per_page" above limit (max: ${perPageMax})`)
        .default(Math.min(PER_PAGE_DEFAULT, perPageMax)),
    ),
  };
}

export interface PageQuery {
  readonly page: number;
  readonly per_page: number;
}

interface Extent {
  /** How many there are on all pages, if that is known. */
  readonly total?: number;
  /** Whether there is a page behind this one; needed only where the total is not known. */
  readonly more?: boolean;
}

/**
 * The `Link` header, one line a relation, as the peers' clients read it.
 * @param url The request's path with its query.
 */
export function linkHeader(url: string, { page, per_page }: PageQuery, { total, more = false }: Extent): string[] {
  const question = url.indexOf("?");
  const path = question < 0 ? url : url.slice(0, question);
  const to = (relation: string, target: number): string => {
    const query = new URLSearchParams(question < 0 ? "" : url.slice(question + 1));
    query.set("page", String(target));
    query.set("per_page", String(per_page));
    query.sort();
    return `<${path}?${query}>; rel="${relation}"`;
  };
  const links = [to("first", 1)];
  if (page > 1) links.push(to("prev", page - 1));
  if (total !== undefined && total > 0) {
    const last = Math.ceil(total / per_page);
    if (page < last) links.push(to("next", page + 1));
    links.push(to("last", last));
  } else if (more) {
    links.push(to("next", page + 1));
  }
  return links;
}
