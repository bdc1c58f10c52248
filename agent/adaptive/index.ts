/** Adaptive downloads, loaded when the first one is offered. */

import { createHash } from "node:crypto";
import { ArtifactError } from "@upkeep/shared/artifact";
import { type ChunkIndex, decodeChunkIndex, INDEX_LIMITS, pays } from "@upkeep/shared/artifact/adaptive";
import type { Logger } from "@upkeep/shared/logging";
import type { AdaptiveOffer } from "@upkeep/shared/protocol";
import { type Files, isSystemError, readFile } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { ArtifactRanges } from "../server/deployment-server.ts";
import { AdaptiveSource, doesNotPay, PART_BYTES } from "./source.ts";

export type { AdaptiveSource } from "./source.ts";

export interface AdaptiveDownload {
  readonly files: Files;
  readonly log: Logger;
  readonly offer: AdaptiveOffer;
  readonly ranges: ArtifactRanges;
  /** Where the index is kept while the update downloads: after an interruption it is not fetched again. */
  readonly keptIndex: string;
}

/**
 * Begin an adaptive download: resolves when its index is known.
 * @throws AgentError `adaptive-…`: the artifact is to be downloaded plainly; the errors of a download.
 */
export async function openAdaptively({
  files,
  log,
  offer,
  ranges,
  keptIndex,
}: AdaptiveDownload): Promise<AdaptiveSource> {
  const { artifact_size: plainBytes, index: offered, chunks } = offer;
  if (!pays(offered.size, plainBytes)) throw doesNotPay(offered.size, plainBytes);
  if (offered.size > INDEX_LIMITS.indexBytesMax) {
    throw indexWrong(`its size is ${offered.size}, and at most ${INDEX_LIMITS.indexBytesMax} is taken`);
  }
  const kept = await keptBefore(files, keptIndex, offer);
  const bytes = kept ?? (await fetched(ranges, offer));
  if (!isOffered(bytes, offer)) throw indexWrong("its checksum is another one than the server said");
  const index = decoded(bytes);
  if (index.artifactBytes !== plainBytes || index.chunks.storedBytes !== chunks.size) {
    throw indexWrong("it is not the one of this artifact");
  }
  if (kept === undefined) await keep(files, keptIndex, bytes, log);
  return new AdaptiveSource({ files, log, ranges, index, indexBytes: bytes.length });
}

function indexWrong(why: string): AgentError {
  return new AgentError("adaptive-index-wrong", `the index of the artifact cannot be used: ${why}`);
}

function isOffered(bytes: Uint8Array, { index }: AdaptiveOffer): boolean {
  return bytes.length === index.size && createHash("sha256").update(bytes).digest("hex") === index.sha256;
}

function decoded(bytes: Uint8Array): ChunkIndex {
  try {
    return decodeChunkIndex(bytes);
  } catch (error) {
    if (error instanceof ArtifactError) throw indexWrong(error.message);
    throw error;
  }
}

async function fetched(ranges: ArtifactRanges, { index }: AdaptiveOffer): Promise<Uint8Array> {
  const bytes = new Uint8Array(index.size);
  for (let start = 0; start < bytes.length; start += PART_BYTES) {
    bytes.set(await ranges.read("index", start, Math.min(start + PART_BYTES, bytes.length)), start);
  }
  return bytes;
}

async function keptBefore(files: Files, path: string, offer: AdaptiveOffer): Promise<Uint8Array | undefined> {
  try {
    const bytes = await readFile(files, path, INDEX_LIMITS.indexBytesMax);
    return bytes !== undefined && isOffered(bytes, offer) ? bytes : undefined;
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

/** Its checksum says whether all of it is there: it is not synced. */
async function keep(files: Files, path: string, bytes: Uint8Array, log: Logger): Promise<void> {
  try {
    await files.makeDirectory(path.slice(0, path.lastIndexOf("/")), 0o700);
    const handle = await files.open(path, "write", 0o600);
    try {
      await handle.write(bytes);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    log.debug(`the index of the artifact is not kept: ${error.message}`);
    await files.remove(path).catch(() => undefined);
  }
}
