import type { Clock } from "@upkeep/shared/system";
import { BatchSize } from "../storage/batches.ts";
import type { Storage } from "../storage/index.ts";

/**
 * Let the members of a group that has ended leave it, in batches: each can be done again, and by another process.
 * @returns How many there were.
 */
export async function dissolve(storage: Storage, clock: Clock, group: string): Promise<number> {
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

/** As {@link dissolve}, for all groups whose end was cut short. */
export async function dissolveAll(storage: Storage, clock: Clock): Promise<void> {
  for (const group of await storage.read(({ devices }) => devices.endedGroups())) await dissolve(storage, clock, group);
}
