import type { DeviceRecord } from "../../../mock-server/storage/index.ts";

/** A device that was seen, for tests of the records alone. */
export function deviceRecord(id: string): DeviceRecord {
  return {
    id,
    identity_sha256: id,
    identity_json: "{}",
    status: "pending",
    tier: "standard",
    created_ms: 1,
    updated_ms: 1,
    check_in_ms: null,
    group_name: null,
    tags_etag: null,
    contact_ms: null,
    attributes_ms: null,
  };
}
