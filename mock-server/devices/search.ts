import { given } from "@upkeep/shared/given";
import { DEVICE_STATUSES, offsetOf, type Page, type Paging, type Storage } from "../storage/index.ts";
import { type DeviceInventory, describeDevices, lookupIn } from "./attributes.ts";
import { type NamedBy, narrow, scan } from "./filters/scan.ts";
import { type AttributeSort, FirstInOrder, sortKeyOf } from "./filters/sorting.ts";
import type { AttributeScope, FilterTerm } from "./filters/terms.ts";

/** A search for devices, and the attributes to return. */
export interface DeviceSearch {
  /** All must be met. */
  readonly terms?: readonly FilterTerm[];
  /** By id when absent. */
  readonly sort?: readonly AttributeSort[];
  /** The attributes to return, besides `system/updated_ts`. Default, also if empty: all. */
  readonly select?: readonly { readonly scope: AttributeScope; readonly attribute: string }[];
  /** Only these. */
  readonly ids?: readonly string[];
  /** A substring of any attribute value or of the id, case-insensitive. */
  readonly text?: string;
  readonly named?: NamedBy;
}

export async function searchDevices(
  storage: Storage,
  search: DeviceSearch,
  paging: Paging,
): Promise<Page<DeviceInventory>> {
  const { items, total } = isPlain(search)
    ? await plainPage(storage, search, paging)
    : await sorted(storage, search, paging);
  return { items: items.map((device) => project(device, search.select)), total };
}

/** The number of devices that a search finds. */
export async function countDevices(
  storage: Storage,
  search: Pick<DeviceSearch, "terms" | "ids" | "text">,
): Promise<number> {
  if (isPlain(search)) return (await plainPage(storage, search, { page: 1, perPage: 1 })).total;
  const { terms = [], ids, text } = search;
  let count = 0;
  for await (const _ of scan(storage, { terms, ...given({ ids }), ...(text ? { text } : {}) })) count += 1;
  return count;
}

/** True if an index answers the whole search. */
function isPlain({ terms = [], sort = [], text, named }: DeviceSearch): boolean {
  const indexed = terms.every(({ scope, attribute, type, value }) => {
    if (type !== "$eq" || typeof value !== "string") return false;
    if (scope === "identity" && attribute === "status") return (DEVICE_STATUSES as readonly string[]).includes(value);
    return scope === "system" && attribute === "group";
  });
  // Two conditions on one attribute cannot be merged.
  const once = new Set(terms.map(({ scope }) => scope)).size === terms.length;
  return indexed && once && sort.length === 0 && !text && named === undefined;
}

function plainPage(
  storage: Storage,
  { terms = [], ids }: DeviceSearch,
  paging: Paging,
): Promise<Page<DeviceInventory>> {
  const narrowing = narrow({ terms, ...given({ ids }) });
  return storage.read(async (records) => {
    const { items, total } = await records.devices.page(narrowing, paging);
    return { items: await describeDevices(records, items), total };
  });
}

async function sorted(storage: Storage, search: DeviceSearch, paging: Paging): Promise<Page<DeviceInventory>> {
  const { terms = [], sort = [], ids, text, named } = search;
  const start = offsetOf(paging);
  const first = new FirstInOrder(sort, start + paging.perPage);
  const wanted = { terms, ...given({ ids, named }), ...(text ? { text } : {}) };
  for await (const device of scan(storage, wanted)) first.add(sortKeyOf(device.id, sort, lookupIn(device)));
  const shown = first
    .keys()
    .slice(start)
    .map(({ id }) => id);
  const found = await storage.read(async (records) => {
    const devices = await records.devices.after({ ids: shown }, "", shown.length);
    return new Map((await describeDevices(records, devices)).map((device) => [device.id, device]));
  });
  const items = shown.flatMap((id) => found.get(id) ?? []);
  return { items, total: first.total };
}

function project(device: DeviceInventory, select: DeviceSearch["select"] = []): DeviceInventory {
  if (select.length === 0) return device;
  const wanted = new Set(["system/updated_ts", ...select.map(({ scope, attribute }) => `${scope}/${attribute}`)]);
  return { ...device, attributes: device.attributes.filter(({ scope, name }) => wanted.has(`${scope}/${name}`)) };
}
