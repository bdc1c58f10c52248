import { createHash } from "node:crypto";
import { ArtifactError, manifestName } from "@upkeep/shared/artifact";
import { ChunkDecoder, type ChunkIndex, chunksOfFile, filesInIndex, rangesOf } from "@upkeep/shared/artifact/adaptive";
import { type Files, isSystemError } from "@upkeep/shared/system";
import type { NamedSeed } from "../modules/index.ts";
import type { ArtifactRanges } from "../server/deployment-server.ts";
import type { Seed } from "./places.ts";

/** Files of a directory that are looked into. */
const FILES_MAX = 4096;
const DEPTH_MAX = 32;
/** A file that names a place. */
const PLACE_BYTES_MAX = 4096;

/**
 * The seeds in what was named: files and devices as they are, of directories all files. Only the first target is one: the
 * payload is written to one place.
 */
export async function findSeeds(files: Files, named: readonly NamedSeed[]): Promise<readonly Seed[]> {
  const found = new Map<string, Seed>();
  let hasTarget = false;
  const add = async ({ path, isTarget }: Seed, depth: number): Promise<void> => {
    if (found.size >= FILES_MAX || depth > DEPTH_MAX) return;
    const status = await files.status(path);
    if (status?.kind === "file" || status?.kind === "device") {
      if (!found.has(path) && !(isTarget && hasTarget)) found.set(path, { path, isTarget });
      hasTarget ||= isTarget;
    } else if (status?.kind === "directory") {
      for (const { name, kind } of await files.list(path)) {
        if (kind === "file" || kind === "directory") await add({ path: `${path}/${name}`, isTarget: false }, depth + 1);
      }
    }
  };
  for (const seed of named) {
    try {
      await add(seed, 0);
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
  }
  return [...found.values()];
}

/** Of the update modules that come with this program, the files of a payload that say where it goes. */
const DESTINATIONS: Readonly<Record<string, readonly string[]>> = {
  directory: ["dest_dir"],
  "single-file": ["dest_dir", "filename"],
};

/**
 * Where the payload goes, if small files of it say so: they are fetched before their turn, and verified.
 * @param manifest Name → SHA-256, verified.
 */
export async function destinationOf(
  payloadType: string,
  index: ChunkIndex,
  ranges: ArtifactRanges,
  manifest: ReadonlyMap<string, string>,
): Promise<readonly NamedSeed[]> {
  const names = Object.hasOwn(DESTINATIONS, payloadType) ? (DESTINATIONS[payloadType] ?? []) : [];
  if (names.length === 0) return [];
  const parts: string[] = [];
  for (const name of names) {
    const content = await smallFile(name, index, ranges);
    const sha256 = content && createHash("sha256").update(content).digest("hex");
    if (content === undefined || sha256 !== manifest.get(manifestName(0, name))) return [];
    parts.push(Buffer.from(content).toString("utf8").replace(/\n+$/, ""));
  }
  const path = parts.join("/");
  return path.startsWith("/") && !path.includes("\0") ? [{ path, isTarget: false }] : [];
}

async function smallFile(name: string, index: ChunkIndex, ranges: ArtifactRanges): Promise<Uint8Array | undefined> {
  const { lengths, storedLengths, storedOffsets } = index.chunks;
  try {
    for await (const file of filesInIndex(index)) {
      if (file.name !== name) continue;
      const chunks = file.sizeBytes <= PLACE_BYTES_MAX ? chunksOfFile(index, file) : undefined;
      const [range, ...others] = chunks === undefined ? [] : rangesOf(index.chunks, chunks);
      if (chunks === undefined || range === undefined || others.length > 0) return undefined;
      const stored = await ranges.read("chunks", range.start, range.end);
      const decoder = new ChunkDecoder();
      const contents = chunks.map((chunk) => {
        const start = (storedOffsets[chunk] ?? 0) - range.start;
        const content = new Uint8Array(lengths[chunk] ?? 0);
        return decoder.decode(stored.subarray(start, start + (storedLengths[chunk] ?? 0)), content);
      });
      return Buffer.concat(contents);
    }
  } catch (error) {
    if (!(error instanceof ArtifactError)) throw error;
  }
  return undefined;
}
