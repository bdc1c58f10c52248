import { randomFillSync } from "node:crypto";
import { type Compression, openArtifact } from "@upkeep/shared/artifact";
import { writeArtifact } from "@upkeep/shared/artifact/write";
import { describe, expect, it } from "vitest";
import { COMPRESSORS } from "../../../mock-server/releases/compression.ts";
import { fc } from "../../support/fast-check.ts";
import { artifactOf, chunked, collect, MemorySink, readBack, refusal, sourceFile } from "./support.ts";

async function sample(compression: Compression): Promise<Buffer> {
  const sink = new MemorySink();
  await writeArtifact(
    {
      kind: "module-image",
      compression,
      type: "app",
      artifactName: "release-1",
      deviceTypes: ["board"],
      files: [sourceFile("noise", randomFillSync(Buffer.alloc(3000))), sourceFile("text", "line\n".repeat(1000))],
    },
    sink,
    { compressors: COMPRESSORS },
  );
  return sink.content;
}

const told = (error: unknown): unknown => {
  // Anything but an error of the artifact would be a fault of the reader.
  expect(error).toMatchObject({ name: "ArtifactError" });
  return undefined;
};

describe.each<Compression>(["none", "gzip", "xz", "zstd"])("an artifact with %s", (compression) => {
  it("is refused wherever it is cut", async () => {
    const artifact = await sample(compression);
    const offsets = new Set([0, 1, 511, 512, 513, artifact.length - 1, artifact.length - 512, artifact.length - 1024]);
    for (let offset = 0; offset < artifact.length; offset += 149) offsets.add(offset);
    for (const offset of offsets) {
      const { code, message } = await refusal(artifact.subarray(0, offset));
      expect(["truncated", "not-an-artifact", "missing"], `cut at ${offset}: ${message}`).toContain(code);
    }
  });

  it("either is refused or says and contains the same when a byte of it is flipped", async () => {
    const artifact = await sample(compression);
    const original = await readBack(chunked(artifact));
    const seen = { refused: 0, same: 0 };
    await fc.assert(
      fc.asyncProperty(fc.nat(artifact.length - 1), fc.integer({ min: 1, max: 255 }), async (offset, mask) => {
        const flipped = Buffer.from(artifact);
        flipped[offset] = (flipped[offset] ?? 0) ^ mask;
        const result = await readBack(chunked(flipped)).catch(told);
        if (result === undefined) seen.refused += 1;
        else {
          seen.same += 1;
          expect(result).toEqual(original);
        }
      }),
      { numRuns: 300 },
    );
    // Most bytes count. Those that do not: the ends of numbers in tar headers, times and names in gzip headers.
    expect(seen.refused).toBeGreaterThan(seen.same);
  });

  it("reads the same in pieces of any size", async () => {
    const artifact = await sample(compression);
    const original = await readBack(chunked(artifact, artifact.length));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2000 }), async (chunkBytes) => {
        expect(await readBack(chunked(artifact, chunkBytes))).toEqual(original);
      }),
      { numRuns: 20 },
    );
  });
});

describe("a reading", () => {
  it("fails with what its source fails with", async () => {
    const artifact = await sample("gzip");
    const broken = new Error("the line went dead");
    for (const offset of [700, artifact.length - 2000]) {
      const source = async function* (): AsyncGenerator<Uint8Array> {
        yield artifact.subarray(0, offset);
        throw broken;
      };
      await expect(readBack(source())).rejects.toBe(broken);
    }
  });

  it("releases its source when it is closed, ends or fails", async () => {
    const artifact = await sample("gzip");
    const tracked = (content: Uint8Array) => {
      const state = { released: false };
      const source = async function* (): AsyncGenerator<Uint8Array> {
        try {
          yield* chunked(content, 512);
        } finally {
          state.released = true;
        }
      };
      return { state, source: source() };
    };
    const closed = tracked(artifact);
    const reading = await openArtifact(closed.source);
    expect(closed.state.released).toBe(false);
    await reading.close();
    await reading.close();
    expect(closed.state.released).toBe(true);

    const abandoned = tracked(artifact);
    for await (const payload of (await openArtifact(abandoned.source)).payloads()) {
      for await (const file of payload.files()) {
        for await (const _ of file.content) break;
        break;
      }
      break;
    }
    expect(abandoned.state.released).toBe(true);

    const refused = tracked(Buffer.alloc(5000, "x"));
    await expect(openArtifact(refused.source)).rejects.toMatchObject({ code: "not-an-artifact" });
    expect(refused.state.released).toBe(true);
  });

  it("verifies what its user does not look at", async () => {
    const artifact = await artifactOf((parts) => {
      parts.manifest.set("data/0000/hello.txt", "0".repeat(64));
    });
    const skipFiles = async (): Promise<void> => {
      for await (const payload of (await openArtifact(chunked(artifact))).payloads()) expect(payload.index).toBe(0);
    };
    await expect(skipFiles()).rejects.toMatchObject({ code: "checksum-mismatch" });
    const skipContent = async (): Promise<void> => {
      for await (const payload of (await openArtifact(chunked(artifact))).payloads()) {
        for await (const file of payload.files()) expect(file.name).toBe("hello.txt");
      }
    };
    await expect(skipContent()).rejects.toMatchObject({ code: "checksum-mismatch" });
  });

  it("does not end well after a fault that its user ignored", async () => {
    const artifact = await artifactOf((parts) => {
      parts.manifest.set("data/0000/hello.txt", "0".repeat(64));
    });
    const ignoring = async (): Promise<void> => {
      for await (const payload of (await openArtifact(chunked(artifact))).payloads()) {
        for await (const file of payload.files()) await collect(file.content).catch(told);
      }
    };
    await expect(ignoring()).rejects.toMatchObject({ code: "checksum-mismatch" });
  });

  it("hands out the header before it asks for the payload", async () => {
    const artifact = await sample("none");
    let asked = 0;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunked(artifact, 512)) {
        asked += chunk.length;
        yield chunk;
      }
    };
    const reading = await openArtifact(source());
    const beforePayload = artifact.length - asked;
    // The payload with its two files is still to come.
    expect(beforePayload).toBeGreaterThan(8000);
    await reading.close();
  });
});
