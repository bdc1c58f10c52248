import { deepEqual, equal } from "node:assert/strict";
import { isDerived, lookupIn } from "../../../mock-server/devices/attributes.ts";
import { type AttributeValue, matchesAll } from "../../../mock-server/devices/filters/match.ts";
import { countScanned } from "../../../mock-server/devices/filters/scan.ts";
import { compareKeys, sortKeyOf } from "../../../mock-server/devices/filters/sorting.ts";
import type { AttributeScope } from "../../../mock-server/devices/filters/terms.ts";
import {
  Contacts,
  type DeviceSearch,
  Devices,
  FILTER_OPERATORS,
  type FilterTerm,
  Groups,
  Inventory,
  Tags,
} from "../../../mock-server/devices/index.ts";
import { searchDevices } from "../../../mock-server/devices/search.ts";
import type { Domain } from "../../../mock-server/domain.ts";
import { keysOf } from "../../../mock-server/storage/attribute-keys.ts";
import { deviceText } from "../../../mock-server/storage/device-texts.ts";
import { Snapshots, type Storage } from "../../../mock-server/storage/index.ts";
import { fc } from "../../support/fast-check.ts";
import { TestSystem } from "../domain-fixture.ts";

const KEY = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`;

/** Texts that are easily confused. A run has those of one or two families, so that many are equal. */
const FAMILIES: readonly (readonly string[])[] = [
  // More characters than a key has, with the difference before its end, at it and behind it.
  ["y", "z", "\u{10ffff}"].flatMap((last) => [98, 99, 100, 140].map((count) => "x".repeat(count) + last)),
  [
    "2026-03-01T11:00:00Z",
    "2026-03-01T12:00:00+01:00",
    "2026-03-01 11:00:00.5Z",
    "2026-02-30T11:00:00Z",
    "2026-03-01T1",
  ],
  ["", "a", "ab", "abb", "b", "A.b", "AB", "a|b"],
  ["\u212aelvin", "kelvin", "\u0130stanbul", "istanbul", "é", "É"],
  ["\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}", "\u{10ffff}b", "\u{10ffff}\u{10ffff}"],
  ["10", "1", "true", "a,b", "a", "b", 'say "a"', "back\\slash", "line\nb"],
  // Only tags keep a NUL.
  ["c", "c\0", "c\ufdd0", "c\ufdd0\ufdd2", "\ufdd1c\ufdd2", "c\u0001", "c\0d", "c\u0001d", "c\u0002"],
];
const NUMBERS = [0, -0, 1, -1, 1.5, 2, 10, 1e21, -1e21, 5e-324, -5e-324, Number.MAX_VALUE, 20260301];
const PATTERNS = [
  "^a",
  "^ab*",
  "^ab?",
  "^a|b",
  "b$",
  "^A\\.b",
  "(?i)^AB",
  "^x{99}",
  "^",
  "",
  "^2026-0[23]",
  "é",
  "^x+y",
  "^k",
];

const NAMES = ["a", "b", "ä/ö"];
const name = fc.constantFrom(...NAMES);

type Change =
  | { readonly kind: "register"; readonly identity: Readonly<Record<string, AttributeValue>> }
  | {
      readonly kind: "replace" | "merge";
      readonly at: number;
      readonly attributes: Readonly<Record<string, AttributeValue>>;
    }
  | {
      readonly kind: "tag";
      readonly at: number;
      readonly tags: Readonly<Record<string, string>>;
      readonly replace: boolean;
    }
  | { readonly kind: "group" | "clear" | "decommission"; readonly at: number };

const at = fc.nat(30);
const scope = fc.constantFrom("inventory" as const, "inventory" as const, "identity" as const, "tags" as const);
const place = fc.oneof(
  { weight: 8, arbitrary: fc.record({ scope, attribute: name }) },
  fc.constantFrom(
    { scope: "identity", attribute: "status" } as const,
    { scope: "system", attribute: "group" } as const,
    { scope: "system", attribute: "created_ts" } as const,
    { scope: "system", attribute: "inventory_left_out" } as const,
    { scope: "inventory", attribute: "nothing" } as const,
  ),
);

/** Changes of a fleet and searches in it, with a few values. */
function runOf(texts: readonly string[], numbers: readonly number[]) {
  const text = fc.constantFrom(...texts);
  const number = fc.constantFrom(...numbers);
  const many = (value: string) => Array.from({ length: 101 }, (_, index) => `${value}${index === 0 ? "" : index}`);
  const list = fc.oneof(
    { weight: 3, arbitrary: fc.array(text, { maxLength: 3 }) },
    { weight: 2, arbitrary: fc.array(number, { maxLength: 3 }) },
    text.map(many),
  );
  const value: fc.Arbitrary<AttributeValue> = fc.oneof(
    { weight: 6, arbitrary: text },
    { weight: 3, arbitrary: number },
    { weight: 1, arbitrary: list },
  );
  const attributes = fc.dictionary(name, value, { minKeys: 1, maxKeys: 3, noNullPrototype: true });
  const register = fc.record({ kind: fc.constant("register" as const), identity: attributes });
  const told = fc.record({ kind: fc.constantFrom("replace" as const, "merge" as const), at, attributes });
  const tag = fc.record({
    kind: fc.constant("tag" as const),
    at,
    tags: fc.dictionary(name, text, { maxKeys: 2, noNullPrototype: true }),
    replace: fc.boolean(),
  });
  const other = fc.record({ kind: fc.constantFrom("group" as const, "clear" as const, "decommission" as const), at });
  const change: fc.Arbitrary<Change> = fc.oneof(
    { weight: 2, arbitrary: register },
    { weight: 10, arbitrary: told },
    { weight: 2, arbitrary: tag },
    other,
  );
  const scalar = fc.oneof(
    { weight: 6, arbitrary: text },
    { weight: 3, arbitrary: number },
    fc.boolean(),
    fc.constant("nul\0"),
  );
  const literally = (one: string): string =>
    `^${[...one]
      .slice(0, 120)
      .join("")
      .replace(/[.\\+*?()[\]{}^$|]/g, "\\$&")}`;
  const pattern = fc.oneof(fc.constantFrom(...PATTERNS), text.filter((one) => !one.includes("\n")).map(literally));
  const valueFor = (type: FilterTerm["type"]): fc.Arbitrary<FilterTerm["value"]> => {
    if (type === "$exists") return fc.boolean();
    if (type === "$regex") return pattern;
    if (type === "$in" || type === "$nin") return fc.array(scalar, { maxLength: 4 });
    return fc.oneof({ weight: 8, arbitrary: scalar }, list, fc.constantFrom("noauth", "preauthorized", "lab"));
  };
  const term: fc.Arbitrary<FilterTerm> = fc
    .tuple(place, fc.constantFrom(...FILTER_OPERATORS))
    .chain(([where, type]) => valueFor(type).map((wanted) => ({ ...where, type, value: wanted })));
  const sort = place.chain((where) =>
    fc.constantFrom("asc" as const, "desc" as const).map((order) => ({ ...where, order })),
  );
  const part = fc.oneof(
    text,
    text.map((one) => one.slice(0, 2).toUpperCase()),
    fc.constantFrom("K", "i", "2027-", "T00", "noauth", "stan", "[", "\\n", "n", "lab", ","),
    // Of ids.
    fc.constantFrom("-4", "3B", "c-8", "-"),
  );
  const named = fc.record(
    {
      prefix: fc.oneof(text, fc.constantFrom("a", "1", "-", "2", "t", "5e")).filter((one) => one !== ""),
      attribute: fc.record({ scope: fc.constantFrom("identity" as const, "tags" as const), name }),
    },
    { requiredKeys: ["prefix"] },
  );
  const search: fc.Arbitrary<Searched> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ terms: fc.array(term, { minLength: 1, maxLength: 1 }) }) },
    { weight: 3, arbitrary: fc.record({ terms: fc.array(term, { minLength: 2, maxLength: 3 }) }) },
    { weight: 2, arbitrary: fc.record({ sort: fc.array(sort, { minLength: 1, maxLength: 1 }) }) },
    fc.record({ text: part }),
    fc.record({ named }),
    fc.record({
      terms: fc.array(term, { maxLength: 2 }),
      text: part,
      sort: fc.array(sort, { maxLength: 2 }),
      ids: fc.array(at, { maxLength: 8 }),
    }),
  );
  return fc.record({
    first: fc.array(register, { minLength: 7, maxLength: 7 }),
    changes: fc.array(change, { minLength: 20, maxLength: 40 }),
    searches: fc.array(search, { minLength: 30, maxLength: 30 }),
    perPage: fc.integer({ min: 1, max: 6 }),
  });
}

const run = fc
  .tuple(
    fc.subarray([...FAMILIES], { minLength: 1, maxLength: 2 }),
    fc.subarray(NUMBERS, { minLength: 2, maxLength: 4 }),
  )
  .chain(([families, numbers]) => runOf(families.flat(), numbers));

type Searched = Omit<DeviceSearch, "ids"> & { readonly ids?: readonly number[] };

let storage: Storage;
let domain: Pick<Domain, "devices" | "groups" | "inventory" | "snapshots" | "tags">;
/** So that a few devices take the ways of many. */
const FEW = { batch: 2, batchWithPatterns: 2, sortedMax: 3, expandedMax: 3 };
/** Ids of the devices, and of some that are gone. */
const devices: string[] = [];
const device = (index: number): string => devices[index % Math.max(1, devices.length)] ?? "none";
const told = (all: Readonly<Record<string, AttributeValue>>) =>
  Object.entries(all).map(([one, what]) => ({ name: one, value: what }));

async function apply(one: Change): Promise<void> {
  switch (one.kind) {
    case "register": {
      const identity = { ...one.identity, serial: devices.length };
      devices.push(await domain.devices.preauthorize(identity, KEY));
      return;
    }
    case "replace":
    case "merge":
      // A device that is gone is refused.
      await domain.inventory[one.kind](device(one.at), told(one.attributes)).catch(() => undefined);
      return;
    case "tag":
      await domain.tags.put(
        device(one.at),
        Object.entries(one.tags).map(([tag, what]) => ({ name: tag, value: what })),
        { replace: one.replace },
      );
      return;
    case "group":
      await domain.groups.assign(device(one.at), "lab").catch(() => undefined);
      return;
    case "clear":
      await domain.inventory.clear(device(one.at)).catch(() => undefined);
      return;
    case "decommission":
      await domain.devices.decommission(device(one.at)).catch(() => undefined);
  }
}

const isReported = ({ scope, name: attribute }: { readonly scope: AttributeScope; readonly name: string }): boolean =>
  !isDerived({ scope, attribute });

/** What a search finds, by looking at every attribute of every device. */
async function plainly({ terms = [], text: wanted, sort = [], named, ids }: DeviceSearch): Promise<string[]> {
  const all = (await domain.inventory.list({ page: 1, perPage: 10_000 })).items;
  const elements = (one: AttributeValue): string[] => [one].flat().map(String);
  const found = all.filter((one) => {
    if (ids !== undefined && !ids.includes(one.id)) return false;
    const mentions = (part: string) =>
      [one.id, ...one.attributes.filter(isReported).flatMap((each) => elements(each.value))].some((each) =>
        each.toLowerCase().includes(part.toLowerCase()),
      );
    if (wanted && !mentions(wanted)) return false;
    if (named !== undefined) {
      const { prefix, attribute } = named;
      const meant = [
        ...(attribute === undefined ? [one.id] : []),
        ...one.attributes
          .filter(({ scope, name: each }) => {
            if (scope === "identity" && each === "status") return false;
            if (attribute !== undefined) return scope === attribute.scope && each === attribute.name;
            return scope === "identity" || (scope === "tags" && each === "name");
          })
          .flatMap((each) => elements(each.value)),
      ];
      if (!meant.some((each) => each.startsWith(prefix))) return false;
    }
    return matchesAll(terms, lookupIn(one));
  });
  return found
    .map((one) => sortKeyOf(one.id, sort, lookupIn(one)))
    .sort(compareKeys(sort))
    .map(({ id }) => id);
}

/** The index has the keys of all attributes, and no others; the texts are those of the attributes. */
async function expectComplete(): Promise<void> {
  const {
    inventory_attributes = [],
    attribute_names = [],
    attribute_values = [],
    device_texts = [],
    devices: rows = [],
  } = (await domain.snapshots.take()).tables;
  const names = new Map(attribute_names.map(({ id, scope, name: one }) => [id, `${scope}/${one}`]));
  const expected = inventory_attributes.flatMap(({ device_id, scope, name: one, value_json }) =>
    keysOf(JSON.parse(String(value_json))).map((key) => [`${scope}/${one}`, key, device_id]),
  );
  const kept = attribute_values.map(({ name_id, key, device_id }) => [names.get(Number(name_id)), key, device_id]);
  deepEqual(kept.map((one) => JSON.stringify(one)).sort(), expected.map((one) => JSON.stringify(one)).sort());
  const lines = (text: unknown) => String(text).split("\n").sort();
  equal(device_texts.length, rows.length);
  for (const { device_id, text } of device_texts) {
    const of = inventory_attributes.filter((row) => row.device_id === device_id);
    const values = of.map(({ value_json }) => ({ value_json: String(value_json) }));
    deepEqual(lines(text), lines(deviceText(values)));
  }
}

/**
 * Changes a fleet at random, and compares each search with looking at every attribute of every device.
 * @param records Empty.
 */
export async function compareSearches(records: Storage, runs: number): Promise<void> {
  storage = records;
  const system = new TestSystem();
  domain = {
    devices: new Devices(storage, system, async () => undefined, new Contacts(storage, system.clock, 1)),
    groups: new Groups(storage, system.clock),
    inventory: new Inventory(storage, system.clock),
    snapshots: new Snapshots(storage),
    tags: new Tags(storage, system.clock),
  };
  await fc.assert(
    fc.asyncProperty(run, async ({ first, changes, searches, perPage }) => {
      // A run begins without devices, so that a seed repeats it.
      for (const id of devices.splice(0)) await domain.devices.decommission(id).catch(() => undefined);
      for (const one of [...first, ...changes]) await apply(one);
      await expectComplete();
      for (const { ids, ...one } of searches) {
        const wanted: DeviceSearch = { ...one, ...(ids === undefined ? {} : { ids: ids.map(device) }) };
        const expected = await plainly(wanted);
        for (const options of [{}, { limits: FEW }]) {
          for (const page of [1, 2]) {
            const { items, total } = await searchDevices(storage, wanted, { page, perPage }, options);
            const part = expected.slice((page - 1) * perPage, page * perPage);
            deepEqual({ total, ids: items.map(({ id }) => id) }, { total: expected.length, ids: part });
          }
          equal(await countScanned(storage, wanted, options), expected.length);
        }
      }
    }),
    { numRuns: runs, endOnFailure: true },
  );
}
