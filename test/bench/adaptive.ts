/**
 * What an adaptive download of a root file system costs, beside what others cost: real images of Debian's packages,
 * before and after its security updates. Bytes are those of the agent's own plan; of the main case a real agent's too, over
 * a link with a bandwidth, with its memory, and when it is killed on the way.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { deflate } from "node:zlib";
import { compressInThreads } from "../../mock-server/releases/adaptive/chunk-compression.ts";
import { NodeWorkers } from "../../mock-server/system/workers.ts";
import { Compression, type Costs, compare, KnownSizes, type WholeCosts, wholeCosts } from "./adaptive/compare.ts";
import { IMAGES, materialOf } from "./adaptive/material.ts";
import type { Published } from "./adaptive/publisher.ts";
import { measureTrip, type Trip } from "./adaptive/trip.ts";

export interface AdaptiveFigures {
  readonly packages: number;
  readonly upgraded: number;
  readonly cases: Readonly<Record<string, Costs>>;
  /** Of the cases with security updates. */
  readonly wholes: Readonly<Record<string, WholeCosts>>;
  /** Of the main case: a real agent. */
  readonly trips: Readonly<Record<"adaptive" | "whole", Trip>>;
  /** Bytes that came in all if the agent was killed when this share of them had come, as a multiple of those without. */
  readonly interrupted: Readonly<Record<string, number>>;
}

const EXT4 = "security updates, ext4";
const SQUASHFS = "security updates, squashfs";

/** Aims: the adaptive download's share of another figure. `whole` is `zstd -19` of the same kind of image. */
export const ADAPTIVE_AIMS = [
  { in: EXT4, of: "blocks", max: 0.4 },
  { in: EXT4, of: "xdelta", max: 3.3 },
  { in: SQUASHFS, of: "whole", max: 0.45, whole: SQUASHFS },
  { in: "one line, ext4", of: "whole", max: 1 / 20, whole: EXT4 },
] as const;

export const INTERRUPTED_MAX = 1.05;
/** What an adaptive download may take beside the memory of a plain one. */
export const MEMORY_MAX_KIB = 16 * 1024;
/** Of the link on which a real agent is measured. */
export const LINK_MBITS = 10;
const INTERRUPTED_AT = [0.1, 0.3, 0.5, 0.7, 0.9] as const;

export type Say = (what: string, figures: object) => void;

/**
 * Takes minutes, much longer the first time, and some gigabytes where the systems of tests are kept.
 * @param say Told of each figure when it is there.
 */
export async function measureAdaptive(
  application: string,
  packages: readonly string[],
  say: Say,
): Promise<AdaptiveFigures> {
  const { folder, tool, ...counts } = materialOf(application, packages);
  const sizes = new KnownSizes(folder);
  const well = compressInThreads(new NodeWorkers(), 2);
  const compression = new Compression(promisify(deflate), well.compress);
  const at = (name: keyof typeof IMAGES): string => join(folder, IMAGES[name]);
  const cases: Record<string, Costs> = {};
  const measure = async (name: string, from: string, to: string, served = false): Promise<Published> => {
    const { published, ...costs } = await compare(from, to, compression, { tool, sizes, served });
    cases[name] = costs;
    say(name, costs);
    return published;
  };
  try {
    await compression.know(at("before"));
    await compression.know(at("squashedBefore"));
    const published = await measure(EXT4, at("before"), at("after"), true);
    const { trips, interrupted } = await measureTrips(published, at("before"), say);
    await measure(SQUASHFS, at("squashedBefore"), at("squashedAfter"));
    await measure("one line, ext4", at("before"), at("line"));
    await measure("all times changed, ext4", at("before"), at("times"));
    await measure("one application more, ext4", at("before"), at("application"));
    const wholes: Record<string, WholeCosts> = {};
    for (const [name, from, to] of [
      [SQUASHFS, at("squashedBefore"), at("squashedAfter")],
      [EXT4, at("before"), at("after")],
    ] as const) {
      wholes[name] = wholeCosts(from, to, sizes);
      say(name, wholes[name]);
    }
    return { ...counts, cases, wholes, trips, interrupted };
  } finally {
    await well.close();
  }
}

/** Real agents: over a link, and killed on the way, at full speed. */
async function measureTrips(
  published: Published,
  before: string,
  say: Say,
): Promise<Pick<AdaptiveFigures, "trips" | "interrupted">> {
  const bytesPerSecond = (LINK_MBITS * 1e6) / 8;
  const adaptive = await measureTrip({ published, before, bytesPerSecond });
  say("a real agent", adaptive);
  const interrupted: Record<string, number> = {};
  for (const share of INTERRUPTED_AT) {
    const killAfterBytes = Math.round(adaptive.downBytes * share);
    const { downBytes } = await measureTrip({ published, before, killAfterBytes });
    interrupted[share] = downBytes / adaptive.downBytes;
    say(`killed at ${share}`, { downBytes, ratio: interrupted[share] });
  }
  const whole = await measureTrip({ published, before, bytesPerSecond, adaptive: false });
  say("the whole artifact", { ...whole, artifact: statSync(published.artifact).size });
  return { trips: { adaptive, whole }, interrupted };
}
