import type { Clock } from "@upkeep/shared/system";
import { BatchSize } from "../storage/batches.ts";
import type { Storage } from "../storage/index.ts";

/**
 * Removes the members of a deleted group, in idempotent batches that another process can complete.
 * @returns The number of members.
 */
export async function removeMembers(storage: Storage, clock: Clock, group: string): Promise<number> {
  const size = new BatchSize(clock);
  let left = 0;
  for (let after: string | undefined = ""; after !== undefined; ) {
    const begin: string = after;
    const batch = await storage.transaction(({ devices }) =>
      size.timed(async () => {
        const upTo = await devices.nthAfter({ group }, begin, size.next);
        return { upTo, count: await devices.clearGroup(group, { after: begin, upTo }) };
      }),
    );
    left += batch.count;
    after = batch.upTo;
  }
  await storage.transaction(({ devices }) => devices.forgetEndedGroup(group));
  return left;
}

/** Completes the deletion of all groups whose {@link removeMembers} was interrupted. */
export async function completeDeletions(storage: Storage, clock: Clock): Promise<void> {
  for (const group of await storage.read(({ devices }) => devices.endedGroups()))
    await removeMembers(storage, clock, group);
}
