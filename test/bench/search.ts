import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { given } from "@upkeep/shared/given";
import { type Kysely, Migrator, sql } from "kysely";
import { type DeviceSearch, Inventory } from "../../mock-server/devices/index.ts";
import { openPostgresEngine } from "../../mock-server/storage/engines/postgres-engine.ts";
import type { RecordsEngine } from "../../mock-server/storage/engines/records-engine.ts";
import { openSqliteEngine } from "../../mock-server/storage/engines/sqlite-engine.ts";
import { Storage, type StorageLocation } from "../../mock-server/storage/index.ts";
import { migrations } from "../../mock-server/storage/migrations/index.ts";
import type { Schema } from "../../mock-server/storage/schema.ts";
import { openSystem } from "../../mock-server/system/index.ts";
import { startPostgres } from "../mock-server/postgres/server.ts";

/** The last version without the index. */
const WITHOUT_INDEX = "0020-contacts";
const AT_ONCE = 1000;
const REPEATS = 7;
const REPORTS = 500;

export type SearchEngine = "sqlite" | "postgres";

/** Milliseconds, unless the name says another unit. */
export interface SearchFigures {
  readonly migrationSeconds: number;
  readonly mibBefore: number;
  readonly mibAfter: number;
  /** Medians. */
  readonly searches: Readonly<Record<string, { readonly ms: number; readonly found: number }>>;
  /** Reports of the inventory in a second, one after the other. */
  readonly reportsPerSecond: { readonly unchanged: number; readonly threeChanged: number; readonly allChanged: number };
}

export interface FleetSize {
  readonly devices: number;
  /** Of each device: at most 20. */
  readonly attributes: number;
}

/** Measures searches in a new fleet, and what the index costs. */
export async function measureSearch(engine: SearchEngine, { devices, attributes }: FleetSize): Promise<SearchFigures> {
  const directory = mkdtempSync(join(tmpdir(), "upkeep-search-"));
  const postgres = engine === "postgres" ? await startPostgres({ durable: true }) : undefined;
  try {
    const location: StorageLocation = postgres === undefined ? { directory } : { url: postgres.url };
    const mibBefore = await makeFleet(location, { devices, attributes });
    const started = performance.now();
    const storage = await Storage.open(location, openSystem().files);
    const migrationSeconds = (performance.now() - started) / 1000;
    try {
      const inventory = new Inventory(storage, openSystem().clock);
      const searches: Record<string, { ms: number; found: number }> = {};
      for (const [name, search] of Object.entries(searchesOf(devices)))
        searches[name] = await measured(inventory, search);
      const reportsPerSecond = await reports(storage, inventory, devices);
      await storage.close();
      return { migrationSeconds, mibBefore, mibAfter: await sizeMiB(location), searches, reportsPerSecond };
    } finally {
      await storage.close();
    }
  } finally {
    await postgres?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Measured extends DeviceSearch {
  readonly page?: number;
  readonly onlyCount?: boolean;
}

function searchesOf(devices: number): Readonly<Record<string, Measured>> {
  const term = (
    scope: "identity" | "inventory",
    attribute: string,
    type: "$eq" | "$regex" | "$gte" | "$ne" | "$in",
    value: string | number | readonly string[],
  ) => ({ scope, attribute, type, value });
  const mac = macOf(Math.floor(devices / 2));
  const accepted = term("identity", "status", "$eq", "accepted");
  return {
    "mac = one": { terms: [term("identity", "mac", "$eq", mac)] },
    "mac begins with 5 bytes": { terms: [term("identity", "mac", "$regex", `^${mac.slice(0, 14)}`)] },
    "mac among 20": {
      terms: [
        term(
          "identity",
          "mac",
          "$in",
          Array.from({ length: 20 }, (_, index) => macOf(index * 7)),
        ),
      ],
    },
    "free space in the top 1/1000": { terms: [term("inventory", "free", "$gte", 999_000)] },
    "half: first page": { terms: [term("inventory", "half", "$eq", "even")] },
    "half: page in the middle": {
      terms: [term("inventory", "half", "$eq", "even")],
      page: Math.floor(devices / 2 / 50 / 2),
    },
    "half, among the accepted: count": { terms: [accepted, term("inventory", "half", "$eq", "even")], onlyCount: true },
    "not half: first page": { terms: [term("inventory", "half", "$ne", "even")] },
    "wide range: first page": { terms: [term("inventory", "free", "$gte", 300_000)] },
    "pattern on a kind": { terms: [term("inventory", "kernel", "$regex", "1[.]3")] },
    "any text: a mac": { text: mac },
    "any text: one letter": { text: "e" },
    "sorted by mac": { sort: [{ scope: "identity", attribute: "mac", order: "asc" }] },
    "sorted by free, largest first": { sort: [{ scope: "inventory", attribute: "free", order: "desc" }] },
    "half, sorted by mac": {
      terms: [term("inventory", "half", "$eq", "even")],
      sort: [{ scope: "identity", attribute: "mac", order: "asc" }],
    },
    "sorted by last change": { sort: [{ scope: "system", attribute: "updated_ts", order: "desc" }] },
  };
}

async function measured(
  inventory: Inventory,
  { page = 1, onlyCount, ...search }: Measured,
): Promise<{ ms: number; found: number }> {
  const times: number[] = [];
  let found = 0;
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    const started = performance.now();
    found = onlyCount ? await inventory.count(search) : (await inventory.search(search, { page, perPage: 50 })).total;
    times.push(performance.now() - started);
    // Slow ones need no median.
    if (times.reduce((sum, ms) => sum + ms, 0) > 20_000) break;
  }
  return { ms: median(times), found };
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

async function reports(
  storage: Storage,
  inventory: Inventory,
  devices: number,
): Promise<SearchFigures["reportsPerSecond"]> {
  const ids = await storage.read((records) => records.devices.idsAfter({}, "", Math.min(REPORTS, devices)));
  const known = await storage.read((records) => records.inventory.ofDevices(ids));
  const byDevice = grouped(known);
  const rate = async (change: (value: unknown, index: number) => unknown): Promise<number> => {
    const started = performance.now();
    for (const id of ids) {
      const attributes = (byDevice.get(id) ?? []).map(({ name, value }, index) => ({
        name,
        value: change(value, index),
      }));
      await inventory.replace(id, attributes);
    }
    return (1000 * ids.length) / (performance.now() - started);
  };
  const unchanged = await rate((value) => value);
  const threeChanged = await rate((value, index) => (index < 3 ? `${value}.` : value));
  const allChanged = await rate((value) => `${value}-`);
  return { unchanged, threeChanged, allChanged };
}

function grouped(
  attributes: readonly {
    readonly device_id: string;
    readonly scope: string;
    readonly name: string;
    readonly value_json: string;
  }[],
): Map<string, { readonly name: string; readonly value: unknown }[]> {
  const byDevice = new Map<string, { readonly name: string; readonly value: unknown }[]>();
  for (const { device_id, scope, name, value_json } of attributes) {
    if (scope !== "inventory") continue;
    const all = byDevice.get(device_id) ?? [];
    byDevice.set(device_id, all);
    all.push({ name, value: JSON.parse(value_json) });
  }
  return byDevice;
}

function openEngine(location: StorageLocation): Promise<RecordsEngine> {
  if ("url" in location) return openPostgresEngine(location);
  return openSqliteEngine("memory" in location ? location : { ...location, files: openSystem().files });
}

/** Makes a fleet as a server without the index left it. @returns The size of the records in MiB. */
async function makeFleet(location: StorageLocation, { devices, attributes }: FleetSize): Promise<number> {
  const engine = await openEngine(location);
  const { error } = await engine.migrate((db, schema) =>
    new Migrator({ db, provider: migrations, ...given({ migrationTableSchema: schema }) }).migrateTo(WITHOUT_INDEX),
  );
  if (error !== undefined) throw error;
  for (let start = 0; start < devices; start += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, devices - start) }, (_, index) => start + index);
    await engine.write((db) => insert(db, "url" in location, numbers, attributes));
  }
  // PostgreSQL does it by itself a minute later.
  if ("url" in location) await engine.write((db) => sql`analyze`.execute(db));
  await engine.close();
  return await sizeMiB(location);
}

async function insert(
  db: Kysely<Schema>,
  isPostgres: boolean,
  numbers: readonly number[],
  attributesEach: number,
): Promise<void> {
  const rows = (columns: string, values: readonly object[]) => {
    const names = columns.split(", ");
    const json = JSON.stringify(values);
    const list = sql.raw(names.join(", "));
    return isPostgres
      ? sql`select ${list} from json_to_recordset(${json}::json) as given (${sql.raw(names.map((name) => `${name} text`).join(", "))})`
      : sql`select ${sql.raw(names.map((name) => `value ->> '${name}' as ${name}`).join(", "))} from json_each(${json})`;
  };
  const devices = numbers.map((number) => ({ id: idOf(number), mac: macOf(number) }));
  await sql`
    insert into devices (id, identity_sha256, identity_json, status, created_ms, updated_ms)
    select id, id, mac, 'accepted', 1, 1 from (${rows("id, mac", devices)}) as given`.execute(db);
  const attributes = numbers.flatMap((number) =>
    attributesOf(number)
      .slice(0, attributesEach)
      .map(([scope, name, value]) => ({
        id: idOf(number),
        scope,
        name,
        json: JSON.stringify(value),
      })),
  );
  await sql`
    insert into inventory_attributes (device_id, scope, name, value_json, updated_ms)
    select id, scope, name, json, 1 from (${rows("id, scope, name, json", attributes)}) as given`.execute(db);
}

const digest = (number: number): string => createHash("sha256").update(String(number)).digest("hex");

/** Random, but the same in each run. */
function idOf(number: number): string {
  const hex = digest(number);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function macOf(number: number): string {
  return `02:${number
    .toString(16)
    .padStart(10, "0")
    .replace(/..(?=.)/g, "$&:")}`;
}

/** Twenty: some of one device each, some of many. */
function attributesOf(number: number): readonly (readonly [scope: string, name: string, value: unknown])[] {
  const random = Number.parseInt(digest(number).slice(0, 8), 16);
  const own = (name: string, value: unknown) => ["inventory", name, value] as const;
  return [
    ["identity", "mac", macOf(number)],
    own("half", number % 2 === 0 ? "even" : "odd"),
    own("free", random % 1_000_000),
    own("hostname", `gateway-${number}`),
    own("serial", digest(number).slice(32, 48)),
    own("ip", `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`),
    own("device_type", `board-${random % 5}`),
    own("artifact_name", `release-1.${random % 10}`),
    own("rootfs-image.version", `1.${random % 10}.0`),
    own("kernel", `6.1.${random % 40}`),
    own("memory", 256 << (random % 5)),
    own("cpu_model", `ARMv8 rev ${random % 4}`),
    own("uptime", random % 8_640_000),
    own("region", `region ${random % 20}`),
    own("customer", `customer ${random % 500}`),
    own("interfaces", random % 3 === 0 ? ["eth0", "wlan0"] : ["eth0"]),
    own("os", "Debian GNU/Linux 12 (bookworm)"),
    own("timezone", "Europe/Oslo"),
    own("client_version", `4.0.${random % 6}`),
    own("geo-country", "NO"),
  ];
}

async function sizeMiB(location: StorageLocation): Promise<number> {
  if ("url" in location) {
    const engine = await openPostgresEngine(location);
    const { rows } = await engine.readOne((db) =>
      sql<{ bytes: number }>`select pg_database_size(current_database()) as bytes`.execute(db),
    );
    await engine.close();
    return Number(rows[0]?.bytes) / 1024 ** 2;
  }
  if ("memory" in location) return 0;
  // SQLite closes its log when the last connection does.
  return statSync(join(location.directory, "upkeep.sqlite")).size / 1024 ** 2;
}
