import { createHash } from "node:crypto";
import { Zstd } from "@hpcc-js/wasm-zstd";
import { ArtifactError, openArtifact } from "@upkeep/shared/artifact";
import { type ChunkIndex, decodeChunkIndex, flatten } from "@upkeep/shared/artifact/adaptive";
import { indexArtifact } from "@upkeep/shared/artifact/adaptive/write";
import { writeArtifact } from "@upkeep/shared/artifact/write";
import { describe, expect, it } from "vitest";
import { COMPRESSORS } from "../../../../mock-server/releases/compression.ts";
import { artifactOf, chunked, collect, MemorySink, readBack, sourceFile, tarOf } from "../support.ts";
import { bytesOf, rebuilt } from "./support.ts";

interface Indexed {
  readonly index: ChunkIndex;
  readonly chunks: Buffer;
}

async function indexOf(artifact: Uint8Array): Promise<Indexed> {
  const zstd = await Zstd.load();
  const stored: Buffer[] = [];
  const bytes = await indexArtifact(chunked(artifact), 8192, {
    compress: (content) => zstd.compress(content, 19),
    write: async (chunk) => {
      stored.push(Buffer.from(chunk));
    },
  });
  if (bytes === undefined) throw new Error("no index was made");
  return { index: decodeChunkIndex(bytes), chunks: Buffer.concat(stored) };
}

const rebuiltOf = ({ index, chunks }: Indexed): Promise<Buffer> =>
  rebuilt(index, (start, end) => chunks.subarray(start, end));

async function imageArtifact(compression: "none" | "gzip" | "xz" | "zstd"): Promise<Buffer> {
  const same = bytesOf(150_000, 1);
  const image = Buffer.concat([
    same,
    Buffer.alloc(100_000),
    same,
    Buffer.from("text ".repeat(60_000)),
    bytesOf(999, 2),
  ]);
  const sink = new MemorySink();
  await writeArtifact(
    {
      kind: "module-image",
      type: "single-file",
      artifactName: "release-1",
      deviceTypes: ["board"],
      compression,
      files: [sourceFile("a.conf", "a"), sourceFile("image", image), sourceFile("empty", "")],
    },
    sink,
    { compressors: COMPRESSORS },
  );
  return sink.content;
}

describe("a flattened artifact", () => {
  it.each(["none", "gzip", "xz", "zstd"] as const)(
    "of %s reads like the artifact, and its index gives it",
    async (kind) => {
      const artifact = await imageArtifact(kind);
      const indexed = await indexOf(artifact);
      const { index } = indexed;
      const flattened = await collect(flatten(chunked(artifact, 1000), index.tarBytes));

      expect(flattened.length).toBe(index.flattenedBytes);
      expect(flattened.subarray(0, index.prefixBytes).equals(artifact.subarray(0, index.prefixBytes))).toBe(true);
      expect((await rebuiltOf(indexed)).equals(flattened.subarray(index.prefixBytes))).toBe(true);
      const files = (await readBack(chunked(artifact))).files;
      for (const [name, content] of (await readBack(chunked(flattened))).files) {
        expect(files.get(name)?.equals(content)).toBe(true);
      }
      expect(index.artifactBytes).toBe(artifact.length);
      expect(index.artifactSha256).toBe(createHash("sha256").update(artifact).digest("hex"));
      expect(index.chunks.storedBytes).toBe(indexed.chunks.length);
      // One of the two equal stretches, and little for the text.
      expect(indexed.chunks.length).toBeLessThan(175_000);
    },
  );

  it("has several payloads, and none where the artifact has none", async () => {
    const payloads = ["one", "two"].map((text) => tarOf([["file", text.repeat(5000)]]));
    const [one, two] = await Promise.all(payloads);
    if (one === undefined || two === undefined) throw new Error("no payloads");
    const artifact = await tarOf([
      ["version", "v"],
      ["data/0000.tar", one],
      ["data/0002.tar", two],
    ]);
    const indexed = await indexOf(artifact);
    const flattened = await collect(flatten(chunked(artifact), indexed.index.tarBytes));
    expect(indexed.index.tarBytes).toEqual([one.length, two.length]);
    expect((await rebuiltOf(indexed)).equals(flattened.subarray(indexed.index.prefixBytes))).toBe(true);

    const without = await tarOf([["version", "v"]]);
    const ports = { compress: (content: Uint8Array) => content, write: async () => undefined };
    await expect(indexArtifact(chunked(without), 8192, ports)).resolves.toBeUndefined();
  });

  it("is refused where a tar is of another size than the index says", async () => {
    const artifact = await artifactOf();
    const { index } = await indexOf(artifact);
    const [tarBytes = 0] = index.tarBytes;
    for (const wrong of [[tarBytes - 512], [tarBytes + 512], [], [tarBytes, 512]]) {
      await expect(collect(flatten(chunked(artifact), wrong))).rejects.toThrow(ArtifactError);
    }
  });

  it("takes the size of a tar beyond the octal field", async () => {
    const { tarHeader } = await import("../../../../shared/artifact/adaptive/flatten.ts");
    const { decodeHeader } = await import("../../../../shared/artifact/tar/header.ts");
    for (const sizeBytes of [0, 1, 8 ** 11 - 1, 8 ** 11, 2 ** 40]) {
      expect(decodeHeader(tarHeader("data/0000.tar", sizeBytes), "test")).toMatchObject({
        name: "data/0000.tar",
        type: "0",
        sizeBytes,
      });
    }
  });

  it("keeps the faults of the artifact", async () => {
    const artifact = await imageArtifact("gzip");
    const { index } = await indexOf(artifact);
    const damaged = Buffer.from(artifact);
    const at = index.prefixBytes + 512 + 5000;
    damaged.fill(0xff, at, at + 8);
    const read = async (): Promise<void> => {
      const reading = await openArtifact(flatten(chunked(damaged), index.tarBytes));
      for await (const payload of reading.payloads())
        for await (const file of payload.files()) await collect(file.content);
    };
    await expect(read()).rejects.toThrow(ArtifactError);
    await expect(indexOf(damaged)).rejects.toThrow(ArtifactError);
  });
});
