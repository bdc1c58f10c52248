import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync } from "node:fs";
import SqliteDatabase from "better-sqlite3";
import { openDomain } from "../../../mock-server/domain.ts";
import { databasePath } from "../../../mock-server/storage/sqlite.ts";
import { openSystem } from "../../../mock-server/system/index.ts";
import { TOKEN_SEED_BYTES, TokenKey } from "../../../mock-server/tokens.ts";
import { artifact } from "../../mock-server/domain-fixture.ts";

export const FINISHED_DEPLOYMENTS = 100;
export const OPEN_DEPLOYMENTS = 10;
export const RELEASE = "release-1";
const DAY_S = 86_400;
/** Indices of random keys are filled in memory. */
const FILLING_CACHE_KIB = 512 * 1024;

export interface Fleet {
  /** Devices that are accepted and have nothing to do. */
  readonly idle: readonly FleetDevice[];
}

export interface FleetDevice {
  readonly id: string;
  readonly token: string;
}

/**
 * Make the records of a fleet in a new data directory: each finished deployment had a hundredth of the devices,
 * each open one has a thousandth, none of them among those that are handed out.
 * @param sample How many idle devices to hand out.
 */
export async function makeFleet(directory: string, devices: number, sample: number): Promise<Fleet> {
  const system = openSystem();
  const domain = await openDomain({ system, storage: { directory } });
  await domain.artifacts.insert(artifact({ id: randomUUID(), name: RELEASE, deviceTypes: ["bench"] }));
  await domain.close();
  const sqlite = new SqliteDatabase(databasePath(directory));
  // The file is thrown away if this is cut short.
  sqlite.pragma("synchronous = OFF");
  sqlite.pragma(`cache_size = -${FILLING_CACHE_KIB}`);
  const ids = fill(sqlite, devices, system.clock.now());
  sqlite.pragma("wal_checkpoint(TRUNCATE)");
  const seed = sqlite.prepare<[], string>("select value from secrets where name = 'device-tokens'").pluck().get();
  sqlite.close();
  settle(databasePath(directory));
  const key = new TokenKey(Buffer.from(seed ?? "", "base64").subarray(0, TOKEN_SEED_BYTES), {}, () => undefined);
  const now = Math.floor(system.clock.now() / 1000);
  const step = Math.max(1, Math.floor(ids.length / sample));
  const idle = ids
    .filter((_, index) => index % step === 0 && !isBusy(index, ids.length))
    .slice(0, sample)
    .map(({ id, authSet }) => ({ id, token: key.issue(claims(id, authSet, now)) }));
  return { idle };
}

/**
 * Wait until the disk has all of a file. Otherwise the system writes it while something else is measured, whose own
 * few bytes wait behind a gigabyte that no server has written.
 */
function settle(path: string): void {
  const file = openSync(path, "r+");
  fsyncSync(file);
  closeSync(file);
}

interface Row {
  readonly id: string;
  readonly authSet: string;
}

/** The last hundredth of the fleet is in the middle of something. */
function isBusy(index: number, devices: number): boolean {
  return index >= devices - Math.max(1, Math.floor(devices / 100));
}

function claims(id: string, authSet: string, nowS: number): Record<string, unknown> {
  return {
    jti: authSet,
    sub: id,
    iss: "Mender",
    exp: nowS + 7 * DAY_S,
    iat: nowS,
    "mender.device": true,
    "mender.plan": "enterprise",
    "mender.trial": false,
    "mender.addons": [],
    "upkeep.generation": 1,
  };
}

function fill(sqlite: SqliteDatabase.Database, devices: number, nowMs: number): Row[] {
  const addDevice = sqlite.prepare(`
    insert into devices (id, identity_sha256, identity_json, status, created_ms, updated_ms, check_in_ms)
    values (?, ?, ?, 'accepted', ?, ?, ?)`);
  const addAuthSet = sqlite.prepare(`
    insert into auth_sets (id, device_id, public_key, key_and_tier_sha256, status, token_generation, created_ms)
    values (?, ?, ?, ?, 'accepted', 1, ?)`);
  const addDeployment = sqlite.prepare(`
    insert into deployments (id, sequence, name, artifact_name, force_installation, all_devices, target_count,
      device_count, status, total_size_bytes, created_ms, finished_ms)
    values (?, ?, ?, '${RELEASE}', 0, 0, ?, ?, ?, 0, ?, ?)`);
  const addPart = sqlite.prepare(`
    insert into device_deployments (deployment_id, device_id, sequence, status, created_ms, started_ms, finished_ms,
      attempt) values (?, ?, ?, ?, ?, ?, ?, 1)`);
  const addCount = sqlite.prepare("insert into deployment_counters (deployment_id, status, count) values (?, ?, ?)");
  const ids: Row[] = [];
  sqlite.transaction(() => {
    for (let index = 0; index < devices; index += 1) {
      const row = { id: randomUUID(), authSet: randomUUID() };
      const key = `-----BEGIN PUBLIC KEY-----\n${Buffer.from(row.id).toString("base64").repeat(2)}\n-----END PUBLIC KEY-----\n`;
      addDevice.run(row.id, row.id, JSON.stringify({ mac: row.id }), nowMs, nowMs, nowMs);
      addAuthSet.run(row.authSet, row.id, key, row.id, nowMs);
      ids.push(row);
    }
    const share = Math.max(1, Math.floor(devices / FINISHED_DEPLOYMENTS));
    for (let number = 0; number < FINISHED_DEPLOYMENTS; number += 1) {
      const id = randomUUID();
      const part = ids.slice(number * share, (number + 1) * share);
      addDeployment.run(id, number + 1, `finished ${number}`, part.length, part.length, "finished", nowMs, nowMs);
      addCount.run(id, "success", part.length);
      for (const device of part) addPart.run(id, device.id, number + 1, "success", nowMs, nowMs, nowMs);
    }
    const busy = ids.filter((_, index) => isBusy(index, devices));
    const open = Math.max(1, Math.floor(busy.length / OPEN_DEPLOYMENTS));
    for (let number = 0; number < OPEN_DEPLOYMENTS; number += 1) {
      const id = randomUUID();
      const part = busy.slice(number * open, (number + 1) * open);
      const sequence = FINISHED_DEPLOYMENTS + number + 1;
      addDeployment.run(id, sequence, `open ${number}`, part.length, 0, "pending", nowMs, null);
      addCount.run(id, "pending", part.length);
      for (const device of part) addPart.run(id, device.id, sequence, "pending", null, null, null);
    }
    sqlite
      .prepare("insert into sequences (name, value) values ('deployment', ?)")
      .run(FINISHED_DEPLOYMENTS + OPEN_DEPLOYMENTS);
  })();
  return ids;
}
