import { inject, onTestFinished } from "vitest";
import { Deployments, DeviceSide, Uptime } from "../../../mock-server/deployments/index.ts";
import { Storage, type StorageLocation } from "../../../mock-server/storage/index.ts";
import { artifact } from "../domain-fixture.ts";
import { makeRecords, RECORDS_KIND } from "../records-fixture.ts";
import { deviceRecord } from "../storage/device-record.ts";
import { BatchSystem } from "./batch-system.ts";

/** Three transactions write so many targets down, or more. */
export const MANY = 1700;
export const GROUP = "large";
/** Each has its records in a place of its own, which outlives a server. */
export const KIND = RECORDS_KIND === "memory" ? "file" : RECORDS_KIND;

export const ids: readonly string[] = Array.from(
  { length: MANY },
  (_, number) => `device-${String(number).padStart(5, "0")}`,
);

export interface Started {
  readonly storage: Storage;
  readonly location: StorageLocation;
  readonly system: BatchSystem;
  readonly deployments: Deployments;
  readonly deviceSide: DeviceSide;
  /** As after the death of this process. */
  again(): Promise<Started>;
}

let opened = 0;

async function open(location: StorageLocation): Promise<Started> {
  const system = new BatchSystem();
  opened += 1;
  // Processes that share records do not share their chance.
  for (let drawn = 0; drawn < opened * 20; drawn += 1) system.random.uuid();
  const storage = await Storage.open(location, system.files);
  const uptime = new Uptime(system.unwatched);
  onTestFinished(() => storage.close());
  return {
    storage,
    location,
    system,
    deployments: new Deployments(storage, system, uptime),
    deviceSide: new DeviceSide(storage, system.clock, uptime),
    again: () => open(location),
  };
}

/** Records with {@link ids} as accepted devices of {@link GROUP}, and an artifact. */
export async function start(): Promise<Started> {
  const { location, remove } = await makeRecords(KIND, KIND === "postgres" ? inject("postgresUrl") : undefined);
  onTestFinished(remove);
  const started = await open(location);
  await started.storage.transaction(async (records) => {
    await records.artifacts.insert(artifact({ id: "00000000-0000-4000-8000-000000000001" }), ["combination"]);
    for (const id of ids) {
      await records.devices.insert({ ...deviceRecord(id), status: "accepted", group_name: GROUP });
    }
  });
  return started;
}
