import { closeSync, openSync, readFileSync, readSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FileHandle, Files } from "@upkeep/shared/system";
import { describe, expect, it } from "vitest";
import {
  BLOCK_BYTES,
  SYNC_EVERY_BYTES,
  type WriteProgress,
  writeImage,
} from "../../../../agent/modules/rootfs-image/write-image.ts";
import { linuxFiles } from "../../../../agent/system/files.ts";
import { temporaryDirectory } from "../../system/directory.ts";

const directory = temporaryDirectory();

interface Recorded {
  readonly files: Files;
  readonly writes: { readonly position: number; readonly length: number }[];
  /** The most that was written without being synced. */
  dirtyMax: number;
  dirty: number;
}

/**
 * The real door, that remembers what is written and synced.
 * @param zerosBelow Before this position the file is known to be empty and is not really read.
 */
function recording(zerosBelow = 0): Recorded {
  const recorded: Recorded = {
    writes: [],
    dirtyMax: 0,
    dirty: 0,
    files: {
      ...linuxFiles,
      open: async (path, mode, permissions) => {
        const handle = await linuxFiles.open(path, mode, permissions);
        const watched: FileHandle = {
          read: async (buffer, position = 0) => {
            if (position >= zerosBelow) return await handle.read(buffer, position);
            buffer.fill(0);
            return buffer.length;
          },
          write: async (data, position = -1) => {
            recorded.writes.push({ position, length: data.length });
            recorded.dirty += data.length;
            recorded.dirtyMax = Math.max(recorded.dirtyMax, recorded.dirty);
            await handle.write(data, position);
          },
          sync: async () => {
            await handle.sync();
            recorded.dirty = 0;
          },
          status: () => handle.status(),
          close: () => handle.close(),
        };
        return watched;
      },
    },
  };
  return recorded;
}

async function* chunks(data: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < data.length; from += chunkBytes) yield data.subarray(from, from + chunkBytes);
}

/** Different from block to block, so that a block in the wrong place shows. */
function imageOf(sizeBytes: number, seed: number): Buffer {
  const image = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 4096) image.writeUInt32LE((at / 4096) * 7 + seed, at);
  return image;
}

function device(name: string, content: Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const nothing = (): void => undefined;

describe("writing an image", () => {
  it("takes chunks of any size and leaves what comes after the image alone", async () => {
    const image = imageOf(3 * BLOCK_BYTES + 5000, 1);
    for (const chunkBytes of [4097, 64 * 1024, BLOCK_BYTES, 5 * BLOCK_BYTES]) {
      const before = imageOf(5 * BLOCK_BYTES, 99);
      const path = device("any", before);
      await writeImage(linuxFiles, path, { sizeBytes: image.length, content: chunks(image, chunkBytes) }, nothing);
      const after = readFileSync(path);
      expect(after.subarray(0, image.length).equals(image)).toBe(true);
      expect(after.subarray(image.length).equals(before.subarray(image.length))).toBe(true);
    }
  });

  it("writes only the blocks that differ, each at its own place", async () => {
    const image = imageOf(6 * BLOCK_BYTES + 512, 1);
    const old = Buffer.from(image);
    old[2 * BLOCK_BYTES + 17] = 0xee;
    old[5 * BLOCK_BYTES] = 0xee;
    const path = device("differs", old);
    const recorded = recording();
    const content = chunks(image, 64 * 1024);
    const result = await writeImage(recorded.files, path, { sizeBytes: image.length, content }, nothing);
    expect(recorded.writes).toEqual([
      { position: 2 * BLOCK_BYTES, length: BLOCK_BYTES },
      { position: 5 * BLOCK_BYTES, length: BLOCK_BYTES },
    ]);
    expect(result).toEqual({ doneBytes: image.length, equalBytes: image.length - 2 * BLOCK_BYTES });
    expect(recorded.dirty).toBe(0);
    expect(readFileSync(path).equals(image)).toBe(true);
  });

  it("writes nothing at all when the image is there already", async () => {
    const image = imageOf(4 * BLOCK_BYTES, 3);
    const recorded = recording();
    const content = chunks(image, 100_000);
    await writeImage(recorded.files, device("equal", image), { sizeBytes: image.length, content }, nothing);
    expect(recorded.writes).toEqual([]);
  });

  it("never leaves more unsynced than it promises, and nothing at the end", async () => {
    const image = imageOf(40 * BLOCK_BYTES, 5);
    const recorded = recording();
    const content = chunks(image, 64 * 1024);
    const path = device("bounded", Buffer.alloc(image.length));
    await writeImage(recorded.files, path, { sizeBytes: image.length, content }, nothing);
    expect(recorded.writes).toHaveLength(40);
    expect(
      recorded.writes.every(({ position, length }) => position % BLOCK_BYTES === 0 && length === BLOCK_BYTES),
    ).toBe(true);
    expect(recorded.dirtyMax).toBeLessThanOrEqual(SYNC_EVERY_BYTES);
    expect(recorded.dirty).toBe(0);
  });

  it("places blocks beyond 4 GiB exactly", async () => {
    const sizeBytes = 5 * 1024 ** 3 + 4096;
    const path = device("huge", Buffer.alloc(0));
    truncateSync(path, sizeBytes);
    const zeros = Buffer.alloc(8 * BLOCK_BYTES);
    const recorded = recording(sizeBytes - 4096);
    async function* image(): AsyncGenerator<Uint8Array> {
      for (let left = sizeBytes - 4096; left > 0; left -= zeros.length) yield zeros;
      yield Buffer.alloc(4096, "end of the image");
    }
    const seen: WriteProgress[] = [];
    await writeImage(recorded.files, path, { sizeBytes, content: image() }, (progress) => seen.push(progress));
    expect(recorded.writes).toEqual([{ position: 5 * 1024 ** 3, length: 4096 }]);
    expect(seen.at(-1)).toEqual({ doneBytes: sizeBytes, equalBytes: sizeBytes - 4096 });
    const end = Buffer.alloc(16);
    const descriptor = openSync(path, "r");
    readSync(descriptor, end, 0, 16, sizeBytes - 16);
    closeSync(descriptor);
    expect(end.toString()).toBe("end of the image");
  });

  it("refuses an image that is shorter or longer than it was said to be", async () => {
    const image = imageOf(2 * BLOCK_BYTES, 1);
    const path = device("lengths", Buffer.alloc(4 * BLOCK_BYTES));
    const write = (sizeBytes: number): Promise<unknown> =>
      writeImage(linuxFiles, path, { sizeBytes, content: chunks(image, 64 * 1024) }, nothing);
    await expect(write(image.length + 1)).rejects.toMatchObject({ code: "image-incomplete" });
    await expect(write(image.length - 1)).rejects.toMatchObject({ code: "image-too-long" });
  });

  it("creates no file where a device should be", async () => {
    const path = join(directory, "no-such-device");
    const image = { sizeBytes: 1, content: chunks(Buffer.alloc(1), 1) };
    await expect(writeImage(linuxFiles, path, image, nothing)).rejects.toMatchObject({ code: "ENOENT" });
  });
});
