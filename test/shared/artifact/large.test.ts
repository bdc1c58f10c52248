import { openArtifact } from "@upkeep/shared/artifact";
import { expect, it } from "vitest";
import { headerBlock, tarEnd } from "../../../shared/artifact/write/tar.ts";
import { entriesOf, tarOf } from "./support.ts";

const SIZE_BYTES = 6 * 2 ** 30;
/** Of so many zeros. */
const SHA256 = "5c32c2b28999325bc5ad39d6530bcb46fbdf1f86375a991b7269764c50b0d109";
const ZEROS = Buffer.alloc(1024 * 1024);

/** An artifact with a payload of zeros, made as it is read. */
async function* sparseArtifact(checksum: string): AsyncGenerator<Uint8Array> {
  const entries = await entriesOf((parts) => {
    parts.files = [];
    parts.payload = new Uint8Array(0);
    parts.payloadName = "data/0000.tar";
    parts.manifest.set("data/0000/image", checksum);
  });
  const start = await tarOf(entries.slice(0, -1));
  // Without tar's end mark: the payload follows.
  yield start.subarray(0, start.length - tarEnd(0).length);
  const inner = await headerBlock({ name: "image", sizeBytes: SIZE_BYTES, mode: 0o644 });
  const innerBytes = inner.length + SIZE_BYTES + tarEnd(SIZE_BYTES).length;
  yield await headerBlock({ name: "data/0000.tar", sizeBytes: innerBytes, mode: 0o644 });
  yield inner;
  for (let sent = 0; sent < SIZE_BYTES; sent += ZEROS.length) yield ZEROS;
  yield tarEnd(SIZE_BYTES);
  yield tarEnd(innerBytes);
}

it("a payload of 6 GiB passes, its size exact, and memory does not grow with it", async () => {
  const reading = await openArtifact(sparseArtifact(SHA256));
  let seen = 0;
  const before = process.memoryUsage.rss();
  let peak = before;
  for await (const payload of reading.payloads()) {
    for await (const file of payload.files()) {
      expect(file.sizeBytes).toBe(6_442_450_944);
      for await (const chunk of file.content) {
        seen += chunk.length;
        if (seen % (64 * ZEROS.length) === 0) peak = Math.max(peak, process.memoryUsage.rss());
      }
    }
  }
  expect(seen).toBe(SIZE_BYTES);
  expect(peak - before).toBeLessThan(100 * 1024 * 1024);
});

it("what is written above 8 GiB is found again by its size", async () => {
  const block = Buffer.from(await headerBlock({ name: "image", sizeBytes: 2 ** 40 + 1, mode: 0o644 }));
  expect(block.readBigUInt64BE(128)).toBe(2n ** 40n + 1n);
});
