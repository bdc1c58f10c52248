import { given } from "@upkeep/shared/given";
import { Migrator, type RawBuilder, sql } from "kysely";
import { expect } from "vitest";
import { openPostgresEngine } from "../../../../mock-server/storage/engines/postgres-engine.ts";
import type { RecordsEngine } from "../../../../mock-server/storage/engines/records-engine.ts";
import { openSqliteEngine } from "../../../../mock-server/storage/engines/sqlite-engine.ts";
import type { StorageLocation } from "../../../../mock-server/storage/index.ts";
import { migrations } from "../../../../mock-server/storage/migrations/index.ts";
import { NodeFiles } from "../../../../mock-server/system/files.ts";

const files = new NodeFiles();

export function openEngine(location: StorageLocation): Promise<RecordsEngine> {
  if ("url" in location) return openPostgresEngine(location);
  return openSqliteEngine("memory" in location ? location : { ...location, files });
}

/**
 * Records as a server of that version left them: written with the columns that the first version had.
 * @param more Statements with what later columns hold.
 */
export async function leaveRecords(
  location: StorageLocation,
  version: string,
  ...more: readonly RawBuilder<unknown>[]
): Promise<void> {
  const engine = await openEngine(location);
  const { error } = await engine.migrate((db, schema) =>
    new Migrator({
      db,
      provider: migrations,
      ...given({ migrationTableSchema: schema }),
    }).migrateTo(version),
  );
  expect(error).toBeUndefined();
  await engine.write(async (db) => {
    await sql`insert into devices (id, identity_sha256, identity_json, status, created_ms, updated_ms)
      values ('d1', 'x', '{"mac":"1"}', 'accepted', 1, 2)`.execute(db);
    await sql`insert into artifacts (id, name, description, format_version, signed, size_bytes, sha256,
        device_types_json, depends_json, provides_json, clears_provides_json, payloads_json, modified_ms)
      values ('a1', 'release-1', '', 3, 0, 5000000000, 'x', '["board"]', '{}', '{}', '[]', '[]', 3)`.execute(db);
    await sql`insert into deployments (id, sequence, name, artifact_name, force_installation, all_devices,
        target_count, device_count, status, total_size_bytes, created_ms, active_sha256)
      values ('p1', 1, 'first', 'release-1', 0, 0, 1, 1, 'inprogress', 5000000000, 4, 'x')`.execute(db);
    await sql`insert into deployment_counters (deployment_id, status, count)
      values ('p1', 'installing', 1)`.execute(db);
    await sql`insert into device_deployments (deployment_id, device_id, sequence, status, created_ms, started_ms,
        attempt, artifact_id, request_json)
      values ('p1', 'd1', 1, 'installing', 5, 6, 1, 'a1', '{"device_type":"board"}')`.execute(db);
    for (const statement of more) await statement.execute(db);
  });
  await engine.close();
}
