import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flattened, MemoryRanges, noise, opened, received, served } from "./support.ts";

const OLD = noise("old", 3_000_000);
/** `OLD` with 1000 bytes inserted, and 50,000 changed. */
const NEW = Buffer.concat([
  OLD.subarray(0, 1_000_000),
  noise("inserted", 1000),
  OLD.subarray(1_000_000, 2_000_000),
  noise("changed", 50_000),
  OLD.subarray(2_050_000),
]);
/** A chunk at each end of a change is another one. */
const CHANGED_BYTES = 51_000 + 4 * 64 * 1024;

describe("an adaptive download", () => {
  it("gives the flattened artifact, and fetches what the device does not have", async () => {
    const artifact = await served({ image: NEW });
    const download = await opened(artifact, { "/dev/active": OLD });
    expect((await received(download.source)).equals(await flattened(artifact, download))).toBe(true);
    expect(download.ranges.bytesOf("chunks")).toBeLessThan(CHANGED_BYTES);
    const { needed, reused, fetched } = download.source.transfer;
    expect(needed).toBe(artifact.artifact.length);
    expect(reused).toBeGreaterThan(NEW.length - CHANGED_BYTES);
    expect(fetched).toBe(download.ranges.fetchedBytes);
    expect(download.ranges.closed).toBe(true);
  });

  it("does not pay for a device that has nothing of it, and says so before the payload is fetched", async () => {
    const artifact = await served({ image: NEW });
    const ranges = new MemoryRanges(artifact);
    await expect(opened(artifact, { "/dev/active": noise("other", 100_000) }, { ranges })).rejects.toMatchObject({
      code: "adaptive-does-not-pay",
    });
    expect(ranges.bytesOf("chunks")).toBe(0);
  });

  it("does not even fetch an index that is nearly as large as the artifact", async () => {
    const artifact = await served({ image: NEW });
    const ranges = new MemoryRanges(artifact);
    const offer = { ...artifact.offer, artifact_size: artifact.index.length };
    await expect(opened({ ...artifact, offer }, {}, { ranges })).rejects.toMatchObject({
      code: "adaptive-does-not-pay",
    });
    expect(ranges.reads).toEqual([]);
  });

  it("takes from the partition that it overwrites only what lies ahead, or at its place", async () => {
    // What was at the start is now at the end: it has been overwritten by then.
    const image = Buffer.concat([OLD.subarray(1_500_000), OLD.subarray(0, 1_500_000)]);
    const artifact = await served({ image });
    const download = await opened(artifact, { "target /dev/passive": OLD });
    const { files, source } = download;
    const start = (await flattened(artifact, download)).indexOf(image.subarray(0, 100));
    const partition = Buffer.from(OLD);
    const got = await received(source, (bytes) => {
      // The module writes all that it was given at once.
      image.copy(partition, 0, 0, Math.max(0, bytes - start));
      files.put("/dev/passive", partition);
    });
    expect(got.equals(await flattened(artifact, download))).toBe(true);
    expect(partition.equals(image)).toBe(true);
    expect(source.transfer.reused).toBeGreaterThan(1_400_000);
    expect(download.ranges.bytesOf("chunks")).toBeLessThan(1_600_000);
  });

  it("costs almost nothing where an earlier attempt has written most of it", async () => {
    const artifact = await served({ image: NEW });
    const written = Buffer.concat([NEW.subarray(0, 2_900_000), noise("before", 100_000)]);
    const download = await opened(artifact, { "target /dev/passive": written });
    expect((await received(download.source)).equals(await flattened(artifact, download))).toBe(true);
    expect(download.ranges.bytesOf("chunks")).toBeLessThan(200_000 + 64 * 1024);
  });

  it("fetches what a seed does not have any more when it is copied", async () => {
    const artifact = await served({ image: NEW });
    const download = await opened(artifact, { "/dev/active": OLD });
    const scribbled = Buffer.from(OLD);
    for (let offset = 0; offset < scribbled.length; offset += 300_000) scribbled.write("scribble", offset);
    download.files.put("/dev/active", scribbled.subarray(0, 2_700_000));
    expect((await received(download.source)).equals(await flattened(artifact, download))).toBe(true);
    expect(download.ranges.bytesOf("chunks")).toBeLessThan(CHANGED_BYTES + 300_000 + 12 * 64 * 1024);
  });

  it("does without a seed that has gone", async () => {
    const artifact = await served({ image: NEW });
    const download = await opened(artifact, { "/dev/active": OLD });
    await download.files.remove("/dev/active");
    expect((await received(download.source)).equals(await flattened(artifact, download))).toBe(true);
    expect(download.source.transfer.reused).toBe(0);
  });

  it("fetches a chunk that is wrong once more, and is given up where it is wrong again", async () => {
    const artifact = await served({ image: NEW });
    const once = await opened(artifact, { "/dev/active": OLD });
    let wrong = 0;
    once.ranges.change = (bytes, { name }) => {
      if (name !== "chunks" || wrong > 0) return bytes;
      wrong += 1;
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      return bytes;
    };
    expect((await received(once.source)).equals(await flattened(artifact, once))).toBe(true);
    const always = await opened(artifact, { "/dev/active": OLD });
    always.ranges.change = (bytes, { name }) => (name === "chunks" ? Buffer.alloc(bytes.length, 7) : bytes);
    await expect(received(always.source)).rejects.toMatchObject({ code: "adaptive-chunk-wrong" });
  });

  it("fetches a chunk once that the artifact has several times", async () => {
    const piece = noise("piece", 400_000);
    const artifact = await served({ one: piece, two: OLD, three: piece, four: piece });
    const download = await opened(artifact, { "/old": OLD });
    expect((await received(download.source)).equals(await flattened(artifact, download))).toBe(true);
    expect(download.ranges.bytesOf("chunks")).toBeLessThan(410_000);
  });

  it("gives long runs of zeros without fetching them", async () => {
    const image = Buffer.concat([OLD.subarray(0, 100_000), Buffer.alloc(5_000_000), OLD.subarray(100_000, 900_000)]);
    const artifact = await served({ image, last: Buffer.alloc(70_000) }, { compression: "none" });
    const download = await opened(artifact, { "/old": OLD.subarray(0, 800_000) });
    expect((await received(download.source)).equals(await flattened(artifact, download))).toBe(true);
  });

  it("keeps its index, and does not fetch it again", async () => {
    const artifact = await served({ image: NEW });
    const first = await opened(artifact, { "/dev/active": OLD });
    expect(first.ranges.bytesOf("index")).toBe(artifact.index.length);
    await first.source.close();
    const again = await opened(artifact, { "/dev/active": OLD }, { files: first.files });
    expect(again.ranges.bytesOf("index")).toBe(0);
    expect((await received(again.source)).equals(await flattened(artifact, again))).toBe(true);
  });

  it.each([
    ["another checksum", (index: Buffer) => index.fill(1, 100, 101), {}],
    ["another artifact's size", (index: Buffer) => index, { artifact_size: 5_000_000 }],
    ["another size of the chunks", (index: Buffer) => index, { chunks: { uri: "x", size: 1 } }],
    ["more bytes than may be", (index: Buffer) => index, { artifact_size: 2 ** 40, index: { size: 2 ** 30 } }],
  ])("refuses an index with %s", async (_name, change, other) => {
    const good = await served({ image: NEW });
    const artifact = {
      ...good,
      index: change(Buffer.from(good.index)),
      offer: { ...good.offer, ...other, index: { ...good.offer.index, ...("index" in other ? other.index : {}) } },
    };
    await expect(opened(artifact, {})).rejects.toMatchObject({ code: "adaptive-index-wrong" });
  });

  it("gives the artifact whatever the device has, and never asks for more than all chunks twice", async () => {
    const parts = Array.from({ length: 12 }, (_, part) => noise(`part ${part}`, 40_000 + part * 7919));
    const images = fc.array(fc.oneof(fc.nat({ max: 11 }), fc.constant("zeros" as const)), { maxLength: 14 });
    const image = (list: readonly (number | "zeros")[]): Buffer =>
      Buffer.concat(list.map((part) => (part === "zeros" ? Buffer.alloc(30_000) : (parts[part] ?? Buffer.alloc(0)))));
    await fc.assert(
      fc.asyncProperty(images, images, images, async (wanted, active, passive) => {
        const artifact = await served({ a: image(wanted), b: image([...wanted].reverse()) });
        // The plain way is another test's: this one is about every mix.
        const offer = { ...artifact.offer };
        const seeds = { "/active": image(active), "target /passive": image(passive) };
        const download = await opened({ ...artifact, offer }, seeds).catch((error: Error & { code?: string }) => {
          expect(error.code).toBe("adaptive-does-not-pay");
          return undefined;
        });
        if (download === undefined) return;
        expect((await received(download.source)).equals(await flattened(artifact, download))).toBe(true);
        expect(download.ranges.bytesOf("chunks")).toBeLessThanOrEqual(artifact.chunks.length * 2);
      }),
      { numRuns: 60 },
    );
  });
});
