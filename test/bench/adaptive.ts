/**
 * What an adaptive download of a root file system costs, beside what others cost: real images of Debian's packages,
 * before and after its security updates. The bytes are those of the agent's own plan.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compressInThreads } from "../../mock-server/releases/adaptive/chunk-compression.ts";
import { NodeWorkers } from "../../mock-server/system/workers.ts";
import { type Costs, compare, interrupted, KnownChunks } from "./adaptive/compare.ts";
import { Debian } from "./adaptive/debian.ts";
import { ext4, squashfs, withApplication, withOneLine, withOtherTimes } from "./adaptive/images.ts";

export interface AdaptiveFigures {
  readonly packages: number;
  readonly upgraded: number;
  readonly cases: Readonly<Record<string, Costs>>;
  /** Bytes after an interruption at these shares of the image, as a multiple of those without. */
  readonly interrupted: Readonly<Record<string, number>>;
  readonly indexingSeconds: number;
}

/** Aims, as shares: `adaptive` of another figure of the same case. */
export const ADAPTIVE_AIMS: readonly {
  readonly in: string;
  readonly of: "blocks" | "xdelta" | "zstd";
  readonly max: number;
}[] = [
  { in: "security updates, ext4", of: "blocks", max: 0.4 },
  { in: "security updates, ext4", of: "xdelta", max: 3.3 },
  { in: "security updates, squashfs", of: "zstd", max: 0.45 },
  { in: "one line, ext4", of: "zstd", max: 1 / 20 },
];

export const INTERRUPTED_MAX = 1.05;

/** Builds the images, and compares them. Takes minutes, and some gigabytes below the directory of temporary files. */
export async function measureAdaptive(application: string): Promise<AdaptiveFigures> {
  const folder = mkdtempSync(join(tmpdir(), "upkeep-adaptive-"));
  const threads = compressInThreads(new NodeWorkers(), 2);
  const chunks = new KnownChunks(threads.compress);
  try {
    const debian = new Debian(folder);
    const tool = debian.tools();
    const roots = debian.roots();
    const kib = Number(execFileSync("du", ["-sk", roots.after], { encoding: "utf8" }).split("\t")[0]);
    const mebibytes = Math.ceil((kib / 1024) * 1.3);
    const at = (name: string): string => join(folder, name);
    const before = ext4(roots.before, at("before.ext4"), mebibytes);
    const after = ext4(roots.after, at("after.ext4"), mebibytes);
    const cases: Record<string, Costs> = {};
    const beganMs = performance.now();
    cases["security updates, ext4"] = await compare(before, after, chunks, tool);
    const indexingSeconds = (performance.now() - beganMs) / 1000;
    const shares: Record<string, number> = {};
    for (const share of [0.1, 0.5, 0.9]) shares[share] = await interrupted(before, after, chunks, share);
    rmSync(after);
    const variants = {
      "one line": withOneLine(roots.before, at("root-line")),
      "all times changed": withOtherTimes(roots.before, at("root-times")),
      "one application more": withApplication(roots.before, at("root-application"), application),
    };
    for (const [name, root] of Object.entries(variants)) {
      const image = ext4(root, at("variant.ext4"), mebibytes);
      cases[`${name}, ext4`] = await compare(before, image, chunks, tool);
      rmSync(image);
    }
    const squashed = squashfs(tool, roots.before, at("before.squashfs"));
    cases["security updates, squashfs"] = await compare(
      squashed,
      squashfs(tool, roots.after, at("after.squashfs")),
      chunks,
      tool,
    );
    return { packages: roots.packages, upgraded: roots.upgraded, cases, interrupted: shares, indexingSeconds };
  } finally {
    await threads.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
