import { given } from "@upkeep/shared/given";
import type { DeviceNarrowing, DeviceStatus, Storage } from "../../storage/index.ts";
import { DEVICE_STATUSES } from "../../storage/index.ts";
import { type DeviceInventory, describeDevices, lookupIn } from "../attributes.ts";
import { matchesAll } from "./match.ts";
import type { FilterTerm } from "./terms.ts";

/** Devices per read: other requests run between two reads. */
const BATCH = 500;
/** Devices per read if patterns are matched, which take longer. */
const BATCH_WITH_PATTERNS = 50;

export interface Scanned {
  readonly terms: readonly FilterTerm[];
  readonly ids?: readonly string[];
  /** A substring of any attribute value or of the id, case-insensitive. */
  readonly text?: string;
  readonly named?: NamedBy;
}

/** The beginning of the id, of an identity attribute or of the tag `name`. */
export interface NamedBy {
  readonly prefix: string;
  /** Only this one; `identity/id` is the id. */
  readonly attribute?: { readonly scope: "identity" | "tags"; readonly name: string };
}

/** Devices that meet all conditions, by id. Concurrent changes may or may not be seen. */
export async function* scan(storage: Storage, wanted: Scanned): AsyncGenerator<DeviceInventory> {
  const narrowing = narrow(wanted);
  const text = wanted.text?.toLowerCase();
  const size = wanted.terms.some(({ type }) => type === "$regex") ? BATCH_WITH_PATTERNS : BATCH;
  let after = "";
  for (let last = false; !last; ) {
    const batch = await storage.read(async (records) =>
      describeDevices(records, await records.devices.after(narrowing, after, size)),
    );
    for (const device of batch) {
      if (text !== undefined && !mentions(device, text)) continue;
      if (wanted.named !== undefined && !isNamed(device, wanted.named)) continue;
      if (matchesAll(wanted.terms, lookupIn(device))) yield device;
    }
    after = batch.at(-1)?.id ?? after;
    last = batch.length < size;
  }
}

/** The number of accepted devices that meet all conditions now. */
export async function countAccepted(storage: Storage, terms: readonly FilterTerm[]): Promise<number> {
  const accepted: FilterTerm = { scope: "identity", attribute: "status", type: "$eq", value: "accepted" };
  let count = 0;
  for await (const _ of scan(storage, { terms: [accepted, ...terms] })) count += 1;
  return count;
}

/** The part of the conditions that an index answers; the rest is evaluated per device. */
export function narrow({ terms, ids }: Scanned): DeviceNarrowing {
  const exactly = (scope: string, attribute: string): string | undefined => {
    const term = terms.find((one) => one.scope === scope && one.attribute === attribute && one.type === "$eq");
    return typeof term?.value === "string" ? term.value : undefined;
  };
  const status = DEVICE_STATUSES.find((one): one is DeviceStatus => one === exactly("identity", "status"));
  const group = exactly("system", "group");
  const id = exactly("identity", "id");
  const narrowed = id === undefined ? ids : (ids ?? [id]).filter((one) => one === id);
  return given({ status, group, ids: narrowed });
}

function isNamed({ id, attributes }: DeviceInventory, { prefix, attribute }: NamedBy): boolean {
  const wanted = (scope: string, name: string): boolean => {
    if (scope === "identity" && name === "status") return false;
    if (attribute !== undefined) return scope === attribute.scope && name === attribute.name;
    return scope === "identity" || (scope === "tags" && name === "name");
  };
  if (wanted("identity", "id") && id.startsWith(prefix)) return true;
  return attributes.some(
    ({ scope, name, value }) => wanted(scope, name) && [value].flat().some((one) => String(one).startsWith(prefix)),
  );
}

function mentions({ id, attributes }: DeviceInventory, text: string): boolean {
  return (
    id.toLowerCase().includes(text) ||
    attributes.some(({ value }) => [value].flat().some((one) => String(one).toLowerCase().includes(text)))
  );
}
