import * as z from "zod";
import {
  ATTRIBUTE_SCOPES,
  type AttributeScope,
  type AttributeSort,
  checkTerms,
  type DeviceSearch,
  type FilterTerm,
} from "../../domain.ts";
import { invalid } from "../../errors.ts";
import { fields } from "../validation.ts";

/** Conditions in a body; `checkTerms` says what is wrong with them. */
export const Filters = z.array(
  fields({
    scope: z.unknown().optional(),
    attribute: z.unknown().optional(),
    type: z.unknown().optional(),
    value: z.unknown().optional(),
  }),
);

/** Parameters of the list that are not names of attributes. */
const OWN = ["page", "per_page", "sort", "has_group", "group"];
const NUMBER = /^-?\d{1,15}(\.\d{1,15})?$/;

type Query = Readonly<Record<string, unknown>>;

function texts(value: unknown): readonly string[] {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  return all.filter((one) => typeof one === "string");
}

/** `scope/name`, or the name of an attribute that the device itself told. */
function attributeOf(text: string): { scope: AttributeScope; attribute: string } {
  const scope = ATTRIBUTE_SCOPES.find((known) => text.startsWith(`${known}/`));
  return scope === undefined
    ? { scope: "inventory", attribute: text }
    : { scope, attribute: text.slice(scope.length + 1) };
}

/** `[scope/]name[:asc|desc]`; without an order the largest come first. @throws DomainError (invalid) */
function sortOf(text: string): AttributeSort {
  const order = /:(asc|desc)$/.exec(text)?.[1];
  const named = order === undefined ? text : text.slice(0, -order.length - 1);
  if (named === "" || named.includes(":"))
    throw invalid(`sort: must be NAME, NAME:asc or NAME:desc, not "${text.slice(0, 80)}"`);
  return { ...attributeOf(named), order: order === "asc" ? "asc" : "desc" };
}

/** A value from a query, which may mean a number as well. */
function equals(name: string, text: string): Pick<FilterTerm, "scope" | "attribute" | "type" | "value"> {
  const value = text.startsWith("eq:") ? text.slice(3) : text;
  const attribute = attributeOf(name);
  return NUMBER.test(value)
    ? { ...attribute, type: "$in", value: [value, Number(value)] }
    : { ...attribute, type: "$eq", value };
}

function groupTerms({ group, has_group: hasGroup }: Query): FilterTerm[] {
  const terms: FilterTerm[] = [];
  const [name] = texts(group);
  if (name !== undefined) terms.push({ scope: "system", attribute: "group", type: "$eq", value: name });
  const [wanted] = texts(hasGroup);
  if (wanted === undefined) return terms;
  if (wanted !== "true" && wanted !== "false")
    throw invalid(`has_group: must be true or false, not "${wanted.slice(0, 80)}"`);
  return [...terms, { scope: "system", attribute: "group", type: "$exists", value: wanted === "true" }];
}

/** What the first version of the inventory's list is asked for. @throws DomainError (invalid) */
export function searchOf(query: Query): DeviceSearch {
  const named = Object.entries(query).filter(([name]) => !OWN.includes(name));
  const terms = [
    ...groupTerms(query),
    ...named.flatMap(([name, value]) => texts(value).map((text) => equals(name, text))),
  ];
  const [sort] = texts(query.sort);
  return { terms: checkTerms(terms, "filters"), ...(sort === undefined ? {} : { sort: [sortOf(sort)] }) };
}
