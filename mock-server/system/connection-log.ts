import type { Logger } from "@upkeep/shared/logging";
import type { Clock } from "@upkeep/shared/system";
import type { ConnectionCounts, ConnectionEnd } from "./connection-counts.ts";

const SAID_EVERY_MS = 60_000;

const SAYINGS: Readonly<Record<ConnectionEnd, string>> = {
  "too-many": "a connection is refused: --max-connections are open, and none is idle",
  "too-many-from-address": "a connection is refused: --max-connections-per-address are open, and none is idle",
  "idle-for-others": "an idle connection is closed to make room for another one",
  "body-too-slow": "a connection is cut: the request's body comes too slowly",
};

/** Log what becomes of connections; of each reason the first, and then once a minute, with how many there were. */
export function logConnectionEnds(counts: ConnectionCounts, logger: Logger, clock: Clock): void {
  const said = new Map<ConnectionEnd, { readonly atMs: number; readonly count: number }>();
  counts.onEnd = (why, address) => {
    const last = said.get(why);
    const now = clock.monotonic();
    if (last !== undefined && now - last.atMs < SAID_EVERY_MS) return;
    const count = counts.ended(why);
    said.set(why, { atMs: now, count });
    logger.warning(SAYINGS[why], { address, connections: count - (last?.count ?? 0) });
  };
}
