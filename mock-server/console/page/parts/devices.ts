import { call, type Listed } from "../api.ts";
import { isTerm, sent, type Term } from "./terms.tsx";

/** A device with its attributes. */
export type Device = Listed<"/api/management/v2/inventory/filters/{id}/search">;

/** Identity attributes that the server sets. */
const OF_THE_SERVER = ["status", "id"];

export function attribute({ attributes }: Device, scope: string, name: string): unknown {
  return attributes.find((one) => one.scope === scope && one.name === name)?.value;
}

/** Its tag `name`, else its MAC address, else what identifies it. */
export function deviceName(device: Device): string {
  const name = attribute(device, "tags", "name");
  if (typeof name === "string" && name !== "") return name;
  const mac = attribute(device, "identity", "mac");
  if (typeof mac === "string" && mac !== "") return mac;
  const identity = device.attributes.filter(({ scope, name }) => scope === "identity" && !OF_THE_SERVER.includes(name));
  return identityText(Object.fromEntries(identity.map(({ name, value }) => [name, value]))) || device.id;
}

export function identityText(identity: Readonly<Record<string, unknown>>): string {
  const values = Object.entries(identity).map(([name, value]) => (name === "mac" ? String(value) : `${name} ${value}`));
  return values.join(", ");
}

/** Which devices are searched for; what is empty does not count. */
export interface Conditions {
  readonly text: string;
  readonly status: string;
  readonly group: string;
  readonly where: readonly Term[];
}

export interface Search extends Conditions {
  readonly page: number;
  readonly perPage: number;
  /** `scope/attribute`, with `-` before it for the other direction. */
  readonly sort: string;
}

/** The conditions in the query of an address. */
export function conditionsIn({
  q = "",
  status = "",
  group = "",
  where = "",
}: Readonly<Record<string, string | undefined>>): Conditions {
  return { text: q, status, group, where: termsIn(where) };
}

/** The query of an address with these conditions. */
export function conditionsQuery({ text, status, group, where }: Conditions) {
  return { q: text, status, group, where: whereText(where) };
}

export function whereText(terms: readonly Term[]): string {
  return terms.length === 0 ? "" : JSON.stringify(terms);
}

/** The conditions in a text; none if it was not written by this page. */
function termsIn(text: string): readonly Term[] {
  try {
    const terms: unknown = JSON.parse(text || "[]");
    return Array.isArray(terms) ? terms.filter(isTerm) : [];
  } catch {
    return [];
  }
}

export function isEveryDevice({ text, status, group, where }: Conditions): boolean {
  return text + status + group === "" && where.length === 0;
}

/** The conditions of a search as the API takes them. */
export function searchOf({ text, status, group, where }: Conditions) {
  const filters = [
    ...sent(where),
    ...(status ? [{ scope: "identity", attribute: "status", type: "$eq", value: status }] : []),
    ...(group ? [{ scope: "system", attribute: "group", type: "$eq", value: group }] : []),
  ];
  return { filters, ...(text ? { text } : {}) };
}

/** Finds devices, as the server's search does. */
export async function searchDevices({ page, perPage, sort, ...conditions }: Search, signal: AbortSignal) {
  const [, minus = "", scope = "", name = ""] = /^(-?)(\w+)\/(.+)$/.exec(sort) ?? [];
  return await call("post", "/api/management/v2/inventory/filters/search", {
    body: {
      page,
      per_page: perPage,
      ...searchOf(conditions),
      ...(name === ""
        ? {}
        : { sort: [{ scope: scope as "inventory", attribute: name, order: minus === "-" ? "desc" : "asc" }] }),
    },
    signal,
  });
}
