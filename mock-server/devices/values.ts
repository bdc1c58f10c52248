import { invalid } from "../errors.ts";
import { KEY_KINDS, valueOfKey, wholeKind } from "../storage/attribute-keys.ts";
import type { Storage } from "../storage/index.ts";
import type { AttributeScope } from "./filters/terms.ts";

export interface CountedAttribute {
  readonly scope: AttributeScope;
  readonly name: string;
}

/** The values of an attribute, the most frequent first. */
export interface AttributeValues {
  readonly values: readonly { readonly value: string | number | boolean; readonly count: number }[];
  /** The number of different values, of which at most {@link VALUES_MAX} are listed. */
  readonly total: number;
}

const VALUES_MAX = 100;
/** Devices or values per read: other requests run between two reads. */
const BATCH = 1000;

/** The kinds of keys that have values. */
const { boolean, number, text, elementBoolean, elementNumber, elementText } = KEY_KINDS;
const VALUE_KINDS = [boolean, number, text, elementBoolean, elementNumber, elementText];

/** Attributes that the server derives, and counts as they change. */
const COUNTED: Readonly<Record<string, "status" | "tier" | "group_name">> = {
  "identity/status": "status",
  "system/tier": "tier",
  "system/group": "group_name",
};
/** Attributes that the server derives, and that no column holds as they are shown. */
const UNCOUNTED = ["created_ts", "updated_ts", "check_in_time", "latest_deployment_status"];

/**
 * Counts the devices of any status by the value of an attribute. Each different element of a list counts.
 * @param prefix The beginning of the value as text, case-insensitive. Empty: any.
 * @throws DomainError (invalid) for attributes of the scope `system` that are times or derived from deployments.
 */
export async function countValues(
  storage: Storage,
  { scope, name }: CountedAttribute,
  prefix: string,
  signal?: AbortSignal,
): Promise<AttributeValues> {
  if (scope === "system" && UNCOUNTED.includes(name))
    throw invalid(`name: the values of system/${name} are not counted`);
  const wanted = prefix.toLowerCase();
  const counts = new Map<string | number | boolean, number>();
  const add = (value: string | number | boolean, count: number): void => {
    if (String(value).toLowerCase().startsWith(wanted)) counts.set(value, (counts.get(value) ?? 0) + count);
  };
  const column = COUNTED[`${scope}/${name}`];
  if (column !== undefined) {
    for (const { value, count } of await storage.read(({ devices }) => devices.countsBy(column))) add(value, count);
  } else {
    for await (const { value, count } of storedValues(storage, { scope, name }, signal)) add(value, count);
  }
  const values = [...counts]
    .map(([value, count]) => ({ value, count }))
    .sort((a, b) => b.count - a.count || (String(a.value) < String(b.value) ? -1 : 1));
  return { values: values.slice(0, VALUES_MAX), total: values.length };
}

type Value = string | number | boolean;

/** The values of stored attributes with the number of devices: those of the keys, if these have all of them. */
async function* storedValues(
  storage: Storage,
  { scope, name }: CountedAttribute,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly value: Value; readonly count: number }> {
  const known = name.includes("\0")
    ? undefined
    : await storage.readOne(({ attributeIndex }) => attributeIndex.find({ scope, name }));
  if (known === undefined) return;
  if (known.hasCutTexts || known.hasLongLists) {
    yield* valuesOfDevices(storage, { scope, name }, signal);
    return;
  }
  for (const kind of VALUE_KINDS) {
    for (let after: string | undefined = ""; after !== undefined; ) {
      const from: string = after;
      const keys = await storage.read(({ attributeIndex }) =>
        attributeIndex.keys(known.id, wholeKind(kind), { after: from, limit: BATCH }),
      );
      signal?.throwIfAborted();
      for (const { key, count } of keys) {
        const value = valueOfKey(key);
        if (value !== undefined) yield { value, count };
      }
      after = keys.length < BATCH ? undefined : keys.at(-1)?.key;
    }
  }
}

async function* valuesOfDevices(
  storage: Storage,
  { scope, name }: CountedAttribute,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly value: Value; readonly count: number }> {
  for (let after: string | undefined = ""; after !== undefined; ) {
    const from: string = after;
    const { upTo, rows } = await storage.read(async ({ devices, inventory }) => {
      const last = await devices.nthAfter({}, from, BATCH);
      return { upTo: last, rows: await inventory.valuesIn(scope, name, { after: from, upTo: last }) };
    });
    signal?.throwIfAborted();
    for (const { value_json, count } of rows) {
      for (const value of new Set([JSON.parse(value_json) as Value | readonly Value[]].flat())) yield { value, count };
    }
    after = upTo;
  }
}
