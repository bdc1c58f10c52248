import type { Clock } from "@upkeep/shared/system";
import type { AuthSetRecord, Records, Storage } from "../storage/index.ts";
import { portions } from "../storage/paging.ts";
import { accept, mayBeAccepted, setStatus } from "./acceptance.ts";
import { mayBecome } from "./auth-status.ts";
import { type BulkTargets, targetIds } from "./bulk-targets.ts";

export const BULK_RESULTS = ["changed", "unchanged", "refused", "not-found"] as const;

export interface BulkResult {
  readonly deviceId: string;
  readonly result: (typeof BULK_RESULTS)[number];
  /** Of `refused`. */
  readonly reason?: string;
}

/** Devices per transaction: other writes wait for it. */
const BATCH = 50;

/**
 * Accepts or rejects many devices, in several transactions.
 *
 * - Accept: the only pending key of the device, or the only rejected one if none is pending. A device with several is
 *   refused: a person must compare the keys.
 * - Reject: every accepted and pending key.
 * @returns A result per device, in the order of the ids.
 * @throws DomainError (conflict) if the search finds another number of devices than expected; nothing has changed then.
 */
export async function decideDevices(
  storage: Storage,
  clock: Clock,
  targets: BulkTargets,
  status: "accepted" | "rejected",
): Promise<readonly BulkResult[]> {
  return changeDevices(storage, targets, (records, id) => decide(records, id, status, clock.now()));
}

/** Changes one device after the other, in several transactions. @throws DomainError (conflict), as {@link targetIds}. */
export async function changeDevices(
  storage: Storage,
  targets: BulkTargets,
  change: (records: Records, deviceId: string) => Promise<BulkChange>,
): Promise<readonly BulkResult[]> {
  const results: BulkResult[] = [];
  for (const some of portions(await targetIds(storage, targets), BATCH)) {
    const changed = await storage.transaction(async (records) => {
      const batch: BulkResult[] = [];
      for (const id of some) {
        const isKnown = (await records.devices.find(id)) !== undefined;
        batch.push({ deviceId: id, ...(isKnown ? await change(records, id) : { result: "not-found" }) });
      }
      return batch;
    });
    results.push(...changed);
  }
  return results;
}

export type BulkChange = Omit<BulkResult, "deviceId">;

const refused = (reason: string): BulkChange => ({ result: "refused", reason });

async function decide(
  records: Records,
  deviceId: string,
  status: "accepted" | "rejected",
  nowMs: number,
): Promise<BulkChange> {
  const keys = await records.authSets.ofDevices([deviceId]);
  return status === "accepted" ? acceptOne(records, deviceId, keys, nowMs) : rejectAll(records, keys, nowMs);
}

async function acceptOne(
  records: Records,
  deviceId: string,
  keys: readonly AuthSetRecord[],
  nowMs: number,
): Promise<BulkChange> {
  if (keys.some((key) => key.status === "accepted")) return { result: "unchanged" };
  const pending = keys.filter((key) => key.status === "pending");
  const candidates = pending.length > 0 ? pending : keys.filter((key) => mayBecome(key.status, "accepted"));
  const [key, another] = candidates;
  if (key === undefined) return refused("the device has no key that could be accepted");
  if (another !== undefined) return refused(`the device has ${candidates.length} keys: accept one of them by its id`);
  if (!(await mayBeAccepted(records, deviceId))) return refused("maximum number of accepted devices reached");
  await accept(records, key, nowMs);
  return { result: "changed" };
}

async function rejectAll(records: Records, keys: readonly AuthSetRecord[], nowMs: number): Promise<BulkChange> {
  const open = keys.filter((key) => mayBecome(key.status, "rejected"));
  for (const key of open) await setStatus(records, key, "rejected", nowMs);
  if (open.length > 0) return { result: "changed" };
  const isPreauthorized = keys.some((key) => key.status === "preauthorized");
  return isPreauthorized ? refused("the device is preauthorized: delete its key") : { result: "unchanged" };
}
