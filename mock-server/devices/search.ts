import { offsetOf, type Page, type Paging, type Storage } from "../storage/index.ts";
import { type DeviceInventory, describeDevices } from "./attributes.ts";
import { partInOrder } from "./filters/index-order.ts";
import type { NamedBy } from "./filters/named-search.ts";
import { Scan, type SearchOptions } from "./filters/scan.ts";
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
  /** A part of the id, or of the value of an attribute that the server does not derive; in any case. */
  readonly text?: string;
  readonly named?: NamedBy;
}

export async function searchDevices(
  storage: Storage,
  search: DeviceSearch,
  paging: Paging,
  options: SearchOptions = {},
): Promise<Page<DeviceInventory>> {
  const { ids, total } = await (search.sort?.length ? sorted : byId)(storage, search, paging, options);
  const items = await storage.read(async (records) => {
    const devices = await records.devices.after({ ids }, "", ids.length);
    const found = new Map((await describeDevices(records, devices)).map((device) => [device.id, device]));
    return ids.flatMap((id) => found.get(id) ?? []);
  });
  return { items: items.map((device) => project(device, search.select)), total };
}

interface FoundIds {
  readonly ids: readonly string[];
  readonly total: number;
}

async function byId(storage: Storage, search: DeviceSearch, paging: Paging, options: SearchOptions): Promise<FoundIds> {
  const start = offsetOf(paging);
  const end = start + paging.perPage;
  const found = await Scan.of(storage, search, options);
  const total = found.total;
  const page = await found.page(paging.perPage, start);
  if (page !== undefined && total !== undefined) return { ids: page, total };
  const ids: string[] = [];
  let count = 0;
  // If it is known how many there are, those after the page need not be looked at.
  if (total === undefined || start < total) {
    for await (const batch of found.batches()) {
      ids.push(...batch.slice(Math.max(0, start - count), Math.max(0, end - count)).map(({ id }) => id));
      count += batch.length;
      if (total !== undefined && count >= end) break;
    }
  }
  return { ids, total: total ?? count };
}

async function sorted(
  storage: Storage,
  search: DeviceSearch,
  paging: Paging,
  options: SearchOptions,
): Promise<FoundIds> {
  const { sort = [], terms = [], ids: only, text, named } = search;
  const start = offsetOf(paging);
  const [first, second] = sort;
  const isOfAll = terms.length === 0 && only === undefined && !text && named === undefined;
  if (first !== undefined && second === undefined && isOfAll) {
    const found = await partInOrder(storage, first, { limit: paging.perPage, offset: start }, options);
    if (found !== undefined) return found;
  }
  const kept = new FirstInOrder(sort, start + paging.perPage);
  const found = await Scan.of(storage, search, { ...options, needed: sort });
  for await (const batch of found.batches()) {
    for (const { id, lookup } of batch) kept.add(sortKeyOf(id, sort, lookup));
  }
  const ids = kept
    .keys()
    .slice(start)
    .map(({ id }) => id);
  return { ids, total: kept.total };
}

function project(device: DeviceInventory, select: DeviceSearch["select"] = []): DeviceInventory {
  if (select.length === 0) return device;
  const wanted = new Set(["system/updated_ts", ...select.map(({ scope, attribute }) => `${scope}/${attribute}`)]);
  return { ...device, attributes: device.attributes.filter(({ scope, name }) => wanted.has(`${scope}/${name}`)) };
}
