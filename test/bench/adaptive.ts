/**
 * What an adaptive download of a root file system costs, beside what others cost: real images of Debian's packages,
 * before and after its security updates. The bytes are those of the agent's own plan.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { deflate } from "node:zlib";
import { compressInThreads } from "../../mock-server/releases/adaptive/chunk-compression.ts";
import { NodeWorkers } from "../../mock-server/system/workers.ts";
import { Compression, type Costs, compare, interrupted, type WholeCosts, wholeCosts } from "./adaptive/compare.ts";
import { Debian } from "./adaptive/debian.ts";
import { ext4, squashfs, withApplication, withOneLine, withOtherTimes } from "./adaptive/images.ts";

export interface AdaptiveFigures {
  readonly packages: number;
  readonly upgraded: number;
  readonly cases: Readonly<Record<string, Costs>>;
  /** Of the cases with security updates. */
  readonly wholes: Readonly<Record<string, WholeCosts>>;
  /** Bytes after an interruption at these shares of the image, as a multiple of those without. */
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

/**
 * Builds the images, and compares them. Takes minutes, and some gigabytes below the directory of temporary files.
 * @param say Told of each figure when it is there.
 */
export async function measureAdaptive(
  application: string,
  say: (what: string, figures: object) => void,
): Promise<AdaptiveFigures> {
  const folder = mkdtempSync(join(tmpdir(), "upkeep-adaptive-"));
  const well = compressInThreads(new NodeWorkers(), 2);
  const compression = new Compression(promisify(deflate), well.compress);
  const at = (name: string): string => join(folder, name);
  try {
    const debian = new Debian(folder);
    const tool = debian.tools();
    const roots = debian.roots();
    const kib = Number(execFileSync("du", ["-sk", roots.after], { encoding: "utf8" }).split("\t")[0]);
    const mebibytes = Math.ceil((kib / 1024) * 1.3);
    const before = ext4(roots.before, at("before.ext4"), mebibytes);
    const after = ext4(roots.after, at("after.ext4"), mebibytes);
    const squashed = squashfs(tool, roots.before, at("before.squashfs"));
    const squashedAfter = squashfs(tool, roots.after, at("after.squashfs"));
    const cases: Record<string, Costs> = {};
    const measure = async (name: string, from: string, to: string): Promise<void> => {
      cases[name] = await compare(from, to, compression, tool);
      say(name, cases[name]);
    };
    await compression.know(before);
    await compression.know(squashed);
    await measure(EXT4, before, after);
    const ratios = await interrupted(before, after, compression, [0.1, 0.5, 0.9]);
    await measure(SQUASHFS, squashed, squashedAfter);
    const variants = {
      "one line": withOneLine(roots.before, at("root-line")),
      "all times changed": withOtherTimes(roots.before, at("root-times")),
      "one application more": withApplication(roots.before, at("root-application"), application),
    };
    for (const [name, root] of Object.entries(variants)) {
      const image = ext4(root, at("variant.ext4"), mebibytes);
      await measure(`${name}, ext4`, before, image);
      rmSync(image);
    }
    const wholes: Record<string, WholeCosts> = {};
    for (const [name, from, to] of [
      [SQUASHFS, squashed, squashedAfter],
      [EXT4, before, after],
    ] as const) {
      wholes[name] = wholeCosts(from, to);
      say(name, wholes[name]);
    }
    return { packages: roots.packages, upgraded: roots.upgraded, cases, wholes, interrupted: ratios };
  } finally {
    await well.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
