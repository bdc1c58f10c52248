// The sources of programs read files into a few buffers in turn (readChunks): nothing may keep a chunk for longer than
// such a source allows.
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { type Decompressor, gunzipReusingBuffers, openArtifact } from "@upkeep/shared/artifact";
import { type ArtifactPlan, type SourceFile, signArtifact, writeArtifact } from "@upkeep/shared/artifact/write";
import { expect, test } from "vitest";
import { COMPRESSORS } from "../../../mock-server/releases/compression.ts";
import { chunked, MemorySink, readBack, sha256 } from "./support.ts";

const CHUNK_BYTES = 64 * 1024;
const CONTENT = randomBytes(64 * CHUNK_BYTES + 1);

const file = (name: string): SourceFile => ({
  name,
  sizeBytes: CONTENT.length,
  read: () => chunked(CONTENT, CHUNK_BYTES),
});
const PLAN: ArtifactPlan = {
  kind: "module-image",
  artifactName: "release-1",
  deviceTypes: ["board"],
  type: "single-file",
  files: [file("a"), file("b")],
};
test.each(["none", "gzip", "xz", "zstd"] as const)(
  "an artifact written as %s holds what its files hold",
  async (compression) => {
    const sink = new MemorySink();
    await writeArtifact({ ...PLAN, compression }, sink, { compressors: COMPRESSORS });
    const { files } = await readBack(chunked(sink.content));
    expect([...files].map(([, content]) => sha256(content))).toEqual([sha256(CONTENT), sha256(CONTENT)]);
  },
);

test("an artifact with a long header is signed and read as it is", async () => {
  const scripts = ["Enter", "Leave"].map((when) => ({
    name: `ArtifactInstall_${when}_01_long`,
    content: randomBytes(4 * CHUNK_BYTES),
  }));
  const unsigned = new MemorySink();
  await writeArtifact({ ...PLAN, compression: "none", scripts }, unsigned);
  const signed = new MemorySink();
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  await signArtifact(chunked(unsigned.content, CHUNK_BYTES), signed, privateKey);
  const verifyKeys = [publicKey.export({ type: "spki", format: "pem" }).toString()];
  const reading = await openArtifact(chunked(signed.content, CHUNK_BYTES), { verifyKeys });
  const { header } = reading;
  await reading.close();
  expect(header.signature.state).toBe("verified");
  expect(header.scripts.map(({ content }) => sha256(content))).toEqual(scripts.map(({ content }) => sha256(content)));
  const { files } = await readBack(chunked(signed.content));
  expect(sha256(files.get("0/a") ?? "")).toBe(sha256(CONTENT));
});

test("gzip is decompressed into a few buffers, which a consumer that keeps two pieces does not see", async () => {
  const sink = new MemorySink();
  const content = Buffer.concat(Array.from({ length: 5 }, () => CONTENT));
  const plan: ArtifactPlan = {
    ...PLAN,
    files: [{ name: "a", sizeBytes: content.length, read: () => chunked(content, CHUNK_BYTES) }],
  };
  await writeArtifact({ ...plan, compression: "gzip" }, sink, { compressors: COMPRESSORS });
  const buffers = new Set<ArrayBufferLike>();
  const gzip: Decompressor = async function* (source, where) {
    for await (const piece of gunzipReusingBuffers(source, where)) {
      buffers.add(piece.buffer);
      yield piece;
    }
  };
  const reading = await openArtifact(chunked(sink.content, CHUNK_BYTES), { decompressors: { gzip } });
  const hash = createHash("sha256");
  for await (const payload of reading.payloads())
    for await (const file of payload.files()) {
      let last: Uint8Array | undefined;
      for await (const piece of file.content) {
        if (last !== undefined) hash.update(last);
        last = piece;
      }
      if (last !== undefined) hash.update(last);
    }
  expect(hash.digest("hex")).toBe(sha256(content));
  // Those of the header, and those of the payload, which has eighty pieces.
  expect(buffers.size).toBeLessThan(25);
});
