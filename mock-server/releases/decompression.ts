import type { Compression, Decompressor } from "@upkeep/shared/artifact";
import { ArtifactError } from "@upkeep/shared/artifact";
import { through } from "@upkeep/shared/artifact/write";

/** Enough for the 64 MiB dictionary of `xz -9`, and no more than the readers on devices bear. */
const XZ_MEMORY_BYTES = 80 * 1024 * 1024;

/** What the native decoder says, as the format's readers do. */
function asArtifactError(error: unknown, where: string): unknown {
  const name = error instanceof Error ? error.name : "";
  if (name === "LZMA_BUF_ERROR") {
    return new ArtifactError("truncated", `${where}: the compressed data ends too early`, { cause: error });
  }
  if (name === "LZMA_MEMLIMIT_ERROR") {
    const detail = `${where}: xz needs a larger dictionary than 64 MiB`;
    return new ArtifactError("compression-window-too-large", detail, { cause: error });
  }
  if (!name.startsWith("LZMA_")) return error;
  const detail = error instanceof Error ? error.message : name;
  return new ArtifactError("compression-damaged", `${where}: the compressed data is damaged (${detail})`, {
    cause: error,
  });
}

/** Each stream has a decoder and a thread: a slow upload holds nobody up, and no poll waits for a fast one. */
const unxz: Decompressor = async function* (source, where) {
  const { createStream } = await import("lzma-native");
  const decoder = createStream("streamDecoder", { memlimit: XZ_MEMORY_BYTES });
  let fed = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      fed += chunk.length;
      yield chunk;
    }
  };
  try {
    yield* through(counted(), decoder);
  } catch (error) {
    throw asArtifactError(error, where);
  }
  // The decoder ends its output before it says what was wrong, or that it began anew behind the end of a stream.
  const used = (decoder as typeof decoder & { totalIn(): number | null }).totalIn() ?? 0;
  if (used === fed) return;
  throw new ArtifactError("compression-damaged", `${where}: the compressed data is damaged at byte ${used} of ${fed}`);
};

/** Decompressors for the server, in place of the portable ones, of which all streams share one. */
export const DECOMPRESSORS: Readonly<Partial<Record<Compression, Decompressor>>> = { xz: unxz };
