import type { Listed } from "../api-types/operations.ts";
import type { Api } from "./api.ts";
import { LacksOperation } from "./api.ts";
import { CtlError } from "./failure.ts";
import type { Term } from "./filter.ts";
import { statusColoured } from "./output/colours.ts";
import type { Column } from "./output/table.ts";
import { agoText, shortIds } from "./output/texts.ts";

/** A device with its attributes. */
export type Device = Listed<"/api/management/v2/inventory/filters/{id}/search">;
/** A device with its keys. */
export type DeviceWithKeys = Listed<"/api/management/v2/devauth/devices">;

/** Identity attributes that the server sets. */
const OF_THE_SERVER = ["status", "id"];
const PER_PAGE = 500;
const FULL_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** How many devices an ambiguous name is said to mean. */
const CANDIDATES_MAX = 5;

export function attributeOf({ attributes }: Pick<Device, "attributes">, scope: string, name: string): string {
  const value = attributes.find((one) => one.scope === scope && one.name === name)?.value;
  return value === undefined || value === null ? "" : valueText(value);
}

/** The value of an attribute for people. */
export function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueText).join(", ");
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

/** Its tag `name`, else its MAC address, else what identifies it. */
export function deviceName(device: Device): string {
  const named = attributeOf(device, "tags", "name") || attributeOf(device, "identity", "mac");
  if (named !== "") return named;
  const identity = device.attributes.filter(({ scope, name }) => scope === "identity" && !OF_THE_SERVER.includes(name));
  return identity.map(({ name, value }) => `${name} ${valueText(value)}`).join(", ");
}

export interface DeviceSearch {
  readonly terms?: readonly Term[];
  readonly text?: string;
  readonly ids?: readonly string[];
}

/** The devices that a search finds, page by page. */
export async function* searchDevices(
  api: Api,
  { terms = [], text, ids }: DeviceSearch,
): AsyncGenerator<readonly Device[]> {
  for (let page = 1; ; page += 1) {
    const { data } = await api.call("post", "/api/management/v2/inventory/filters/search", {
      body: {
        page,
        per_page: PER_PAGE,
        filters: terms.map((term) => ({ ...term })),
        ...(ids === undefined ? {} : { device_ids: [...ids] }),
        ...(text === undefined ? {} : { text }),
      },
    });
    if (data.length > 0) yield data;
    if (data.length < PER_PAGE) return;
  }
}

/** All devices that a search finds. */
export async function allDevices(api: Api, search: DeviceSearch): Promise<readonly Device[]> {
  const found: Device[] = [];
  for await (const page of searchDevices(api, search)) found.push(...page);
  return found;
}

/** How many devices a search finds. */
export async function countDevices(api: Api, terms: readonly Term[]): Promise<number | undefined> {
  const filters = terms.map((term) => ({ ...term }));
  const { total } = await api.call("post", "/api/management/v2/inventory/filters/search", {
    body: { page: 1, per_page: 1, filters },
  });
  return total;
}

/**
 * The ids of devices that a person names: by id, its beginning, an identity attribute or the tag `name`.
 * @throws CtlError if a word means no device, or several
 */
export async function findDevices(api: Api, words: readonly string[]): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const word of words) ids.push(await findDevice(api, word));
  return [...new Set(ids)];
}

export async function findDevice(api: Api, word: string): Promise<string> {
  if (FULL_ID.test(word)) return word.toLowerCase();
  const found = await named(api, word);
  const exact = found.filter((device) => namesOf(device).includes(word));
  const [device, ...others] = exact.length > 0 ? exact : found;
  if (device === undefined) {
    throw new CtlError(`no device has an id, identity or name that begins with ${JSON.stringify(word)}`);
  }
  if (others.length === 0) return device.id;
  const short = shortIds(found.map(({ id }) => id));
  const some = found.slice(0, CANDIDATES_MAX).map((one) => `${short(one.id)} (${deviceName(one)})`);
  const more = found.length > CANDIDATES_MAX ? " and others" : "";
  throw new CtlError(`${JSON.stringify(word)} means several devices: ${some.join(", ")}${more}`);
}

function namesOf(device: Device): readonly string[] {
  const identity = device.attributes.filter(({ scope, name }) => scope === "identity" && !OF_THE_SERVER.includes(name));
  return [device.id, attributeOf(device, "tags", "name"), ...identity.map(({ value }) => valueText(value))];
}

async function named(api: Api, prefix: string): Promise<readonly Device[]> {
  try {
    const path = "/api/management/v2alpha1/inventory/identities/search";
    return (await api.call("post", path, { body: { value_prefix: prefix, per_page: PER_PAGE } })).data;
  } catch (error) {
    if (!(error instanceof LacksOperation)) throw error;
    const found: Device[] = [];
    for await (const page of searchDevices(api, {})) {
      found.push(...page.filter((device) => namesOf(device).some((name) => name.startsWith(prefix))));
    }
    return found;
  }
}

/** Columns of a list of devices. */
export function deviceColumns(devices: readonly Device[], nowMs: number): readonly Column<Device>[] {
  const short = shortIds(devices.map(({ id }) => id));
  const status = (device: Device): string => attributeOf(device, "identity", "status");
  return [
    { title: "ID", text: ({ id }) => short(id) },
    { title: "NAME", text: deviceName, least: 12 },
    { title: "STATUS", text: status, paint: (text, device, colours) => statusColoured(text, status(device), colours) },
    { title: "TYPE", text: (device) => attributeOf(device, "inventory", "device_type"), least: 6 },
    { title: "SOFTWARE", text: (device) => attributeOf(device, "inventory", "artifact_name"), least: 8 },
    { title: "GROUP", text: (device) => attributeOf(device, "system", "group"), least: 8 },
    {
      title: "SEEN",
      text: ({ last_contact_ts: seen }) => agoText(seen, nowMs),
      paint: (text, { overdue }, colours) => (overdue ? colours.red(text) : text),
    },
  ];
}
