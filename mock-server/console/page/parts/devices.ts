import { call, type Listed } from "../api.ts";

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

export interface Search {
  readonly text?: string;
  readonly status?: string;
  readonly group?: string;
  readonly page?: number;
  readonly perPage?: number;
  /** `scope/attribute`, with `-` before it for the other direction. */
  readonly sort?: string;
}

/** The conditions of a search, without its text. */
export function conditionsOf({ status, group }: Search) {
  return [
    ...(status ? [{ scope: "identity", attribute: "status", type: "$eq", value: status }] : []),
    ...(group ? [{ scope: "system", attribute: "group", type: "$eq", value: group }] : []),
  ];
}

/** Finds devices, as the server's search does. */
export async function searchDevices(
  { text, page = 1, perPage = 50, sort, ...conditions }: Search,
  signal?: AbortSignal,
) {
  const [, minus = "", scope = "", name = ""] = /^(-?)(\w+)\/(.+)$/.exec(sort ?? "") ?? [];
  return await call("post", "/api/management/v2/inventory/filters/search", {
    body: {
      page,
      per_page: perPage,
      filters: conditionsOf(conditions),
      ...(name === ""
        ? {}
        : { sort: [{ scope: scope as "inventory", attribute: name, order: minus === "-" ? "desc" : "asc" }] }),
      ...(text ? { text } : {}),
    },
    ...(signal === undefined ? {} : { signal }),
  });
}
