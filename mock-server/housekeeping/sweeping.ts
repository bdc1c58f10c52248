import type { Logger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import type { Domain } from "../domain.ts";
import type { Blobs } from "../storage/blobs/index.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** An upload that another server has not completed after this time has been given up. */
export const ABANDONED_MS = DAY_MS;
/** How long a blob that belongs to no artifact stays in the trash. */
export const TRASH_DAYS = 7;

/** Put blobs that belong to no artifact into the trash a day after they were written; empty the trash after a week. */
export async function sweep(
  { clock }: Pick<System, "clock">,
  blobs: Blobs,
  domain: Pick<Domain, "artifacts">,
  logger: Logger,
): Promise<void> {
  await sweepBefore(clock.now() - ABANDONED_MS, { clock }, blobs, domain, logger);
}

/**
 * As {@link sweep}, and report artifacts whose bytes are missing.
 * @param beforeMs Blobs that were written since then may belong to an upload that is under way, and stay.
 */
export async function sweepAtStart(
  beforeMs: number,
  { clock }: Pick<System, "clock">,
  blobs: Blobs,
  domain: Pick<Domain, "artifacts">,
  logger: Logger,
): Promise<void> {
  const { items } = await domain.artifacts.list({}, { by: "name", order: "asc" });
  await sweepBefore(beforeMs, { clock }, blobs, domain, logger);
  const present = new Set(await blobs.names());
  for (const { id, name } of items) {
    if (!present.has(id)) logger.error("an artifact's bytes are missing", { artifact: id, name });
  }
}

async function sweepBefore(
  beforeMs: number,
  { clock }: Pick<System, "clock">,
  blobs: Blobs,
  { artifacts }: Pick<Domain, "artifacts">,
  logger: Logger,
): Promise<void> {
  const { trash } = blobs;
  if (trash === undefined) return;
  // Names first: what is uploaded from now on is not looked at.
  const names = await blobs.names();
  const trashed = await trash.list();
  const { items } = await artifacts.list({}, { by: "name", order: "asc" });
  const indexes = (await artifacts.indexes()).flatMap(({ index }) => [index.index.blob, index.chunks.blob]);
  const known = new Set([...items.map(({ id }) => id), ...indexes]);
  if (known.size === 0) {
    // Records without any artifact may be the wrong ones, or may have lost them.
    if (names.length > 0) {
      logger.warning("the records have no artifacts, so nothing is removed from their store", {
        stored: names.length,
      });
    }
    return;
  }
  for (const name of trashed.keys()) {
    if (!known.has(name)) continue;
    logger.warning("an artifact's bytes are taken out of the trash", { artifact: name });
    await trash.restore(name);
  }
  for (const name of names) {
    if (known.has(name) || trashed.has(name)) continue;
    const writtenMs = await blobs.writtenMs(name);
    if (writtenMs === undefined || writtenMs >= beforeMs) continue;
    logger.warning(`bytes that belong to no artifact go into the trash for ${TRASH_DAYS} days`, { artifact: name });
    await trash.put(name);
  }
  for (const [name, sinceMs] of trashed) {
    if (known.has(name) || sinceMs >= clock.now() - TRASH_DAYS * DAY_MS) continue;
    logger.warning("removing bytes that belong to no artifact", { artifact: name });
    await trash.purge(name);
  }
}
