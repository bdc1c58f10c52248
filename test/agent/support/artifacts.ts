import { type ArtifactPlan, type SourceFile, type WriteOptions, writeArtifact } from "@upkeep/shared/artifact/write";
import type { ArtifactSource } from "../../../agent/server/deployment-server.ts";

export function sourceFile(name: string, content: string | Uint8Array): SourceFile {
  const data = Buffer.from(content as string);
  return {
    name,
    sizeBytes: data.length,
    async *read() {
      yield data;
    },
  };
}

/** The bytes of an artifact. */
export async function artifactBytes(plan: ArtifactPlan, options?: WriteOptions): Promise<Buffer> {
  let whole = Buffer.alloc(0);
  await writeArtifact(
    plan,
    {
      write: async (data, position) => {
        if (position === undefined) whole = Buffer.concat([whole, data]);
        else whole.set(data, position);
      },
    },
    options,
  );
  return whole;
}

/** Bytes on their way, in pieces; `closed` tells whether they were let go. */
export function sourceOf(
  bytes: Uint8Array,
  pieceBytes = 64 * 1024,
): ArtifactSource & { readonly closed: () => boolean } {
  let closed = false;
  return {
    sizeBytes: bytes.length,
    content: pieces(bytes, pieceBytes),
    close: async () => {
      closed = true;
    },
    closed: () => closed,
  };
}

async function* pieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += pieceBytes) yield bytes.subarray(from, from + pieceBytes);
}

/** A source that leaves out what it is told to, as a download does, and tells what it gave. */
export function skippingSource(
  bytes: Uint8Array,
  pieceBytes = 64 * 1024,
  onGiven: (bytes: number) => void = () => undefined,
): ArtifactSource {
  let offset = 0;
  return {
    sizeBytes: bytes.length,
    content: {
      async *[Symbol.asyncIterator]() {
        while (offset < bytes.length) {
          const piece = bytes.subarray(offset, offset + pieceBytes);
          offset += piece.length;
          onGiven(piece.length);
          yield piece;
        }
      },
      skip: async (count) => {
        offset += count;
      },
    },
    close: async () => undefined,
  };
}
