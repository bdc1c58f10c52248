import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isSystemError } from "@upkeep/shared/system";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Blobs, openFileBlobs } from "../../../../mock-server/storage/blobs/index.ts";
import { NodeFiles } from "../../../../mock-server/system/files.ts";
import { collect } from "../../../shared/artifact/support.ts";
import { type RunningS3, startS3 } from "../../../support/s3.ts";
import { openTestBucket } from "./bucket.ts";

const NAME = "0082f4c4-77de-48ec-be72-af837efdca6e";
const OTHER = "1182f4c4-77de-48ec-be72-af837efdca6e";
const clock = { now: () => Date.now() };
const taken = (error: unknown): boolean => isSystemError(error, "EEXIST");

let s3: RunningS3;
let directory: string;
let made = 0;

beforeAll(async () => {
  s3 = await startS3();
});
afterAll(() => s3.stop());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "upkeep-blobs-"));
  made += 1;
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const STORES: readonly (readonly [name: string, open: () => Promise<Blobs>])[] = [
  [
    "files",
    () =>
      openFileBlobs(new NodeFiles(), join(directory, "blobs"), {
        trash: { directory: join(directory, "trash"), clock },
      }),
  ],
  ["a bucket", () => openTestBucket(s3, { prefix: `test-${made}/` })],
];

/** What every store of artifacts does. */
describe.each(STORES)("blobs in %s", (_, open) => {
  async function keep(blobs: Blobs, name: string, ...pieces: readonly Uint8Array[]): Promise<void> {
    const writer = await blobs.create(name);
    for (const piece of pieces) await writer.write(piece);
    await writer.commit();
    await writer.discard();
  }

  async function contentOf(blobs: Blobs, name: string, start = 0, end?: number): Promise<Buffer | undefined> {
    const blob = await blobs.open(name);
    if (blob === undefined) return undefined;
    try {
      return await collect(blob.read(start, end ?? blob.sizeBytes));
    } finally {
      await blob.close();
    }
  }

  test("exist once they are committed, and are read whole or in part", async () => {
    const blobs = await open();
    const content = Buffer.alloc(600_000, "0123456789");
    const writer = await blobs.create(NAME);
    await writer.write(content.subarray(0, 250_001));
    expect(await blobs.open(NAME)).toBeUndefined();
    expect(await blobs.names()).toEqual([]);
    expect(await blobs.writtenMs(NAME)).toBeUndefined();
    await writer.write(content.subarray(250_001));
    await writer.commit();
    await writer.discard();
    expect(await blobs.names()).toEqual([NAME]);
    expect(Math.abs(Number(await blobs.writtenMs(NAME)) - Date.now())).toBeLessThan(3_600_000);
    expect((await contentOf(blobs, NAME))?.equals(content)).toBe(true);
    expect((await contentOf(blobs, NAME, 262_143, 262_146))?.toString()).toBe("345");
    expect(await contentOf(blobs, NAME, 5, 5)).toHaveLength(0);
    await expect(contentOf(blobs, NAME, 599_990, 600_001)).rejects.toThrow("ends at byte 600000");
  });

  test("may be large: many writes of any size, each buffer used again", async () => {
    const blobs = await open();
    const writer = await blobs.create(NAME);
    const buffer = Buffer.alloc(1_000_003);
    for (let value = 0; value < 20; value += 1) await writer.write(buffer.fill(value));
    await writer.commit();
    const blob = await blobs.open(NAME);
    expect(blob?.sizeBytes).toBe(20 * buffer.length);
    const whole = await contentOf(blobs, NAME);
    const expected = Buffer.concat(Array.from({ length: 20 }, (_, value) => Buffer.alloc(buffer.length, value)));
    expect(whole?.equals(expected)).toBe(true);
    await blob?.close();
  });

  test("may be empty", async () => {
    const blobs = await open();
    await keep(blobs, NAME);
    expect(await contentOf(blobs, NAME)).toHaveLength(0);
  });

  test("that are read while they are removed are read to their end", async () => {
    const blobs = await open();
    const content = Buffer.alloc(3_000_000, "0123456789");
    await keep(blobs, NAME, content);
    const blob = await blobs.open(NAME);
    const reading = blob?.read(0, content.length);
    const first = await reading?.next();
    await blobs.remove(NAME);
    expect(await blobs.open(NAME)).toBeUndefined();
    expect(await blobs.names()).toEqual([]);
    const rest = reading === undefined ? Buffer.alloc(0) : await collect(reading);
    expect(Buffer.concat([Buffer.from(first?.value ?? []), rest]).equals(content)).toBe(true);
    await blob?.close();
    await blobs.remove(NAME);
  });

  test("that are discarded leave nothing, and their name is free again", async () => {
    const blobs = await open();
    const writer = await blobs.create(NAME);
    await writer.write(Buffer.alloc(100));
    await writer.discard();
    await writer.discard();
    expect(await blobs.names()).toEqual([]);
    await keep(blobs, NAME, Buffer.from("x"));
    expect((await contentOf(blobs, NAME))?.toString()).toBe("x");
  });

  test("have a name of their own, while they are written and afterwards", async () => {
    const blobs = await open();
    const writer = await blobs.create(NAME);
    await expect(blobs.create(NAME)).rejects.toSatisfy(taken);
    await writer.commit();
    await expect(blobs.create(NAME)).rejects.toSatisfy(taken);
    await keep(blobs, OTHER);
    expect((await blobs.names()).sort()).toEqual([NAME, OTHER]);
  });

  test.each(["", "..", "../x", "a/b", `${NAME}.part`, NAME.toUpperCase()])("cannot be called %j", async (name) => {
    const blobs = await open();
    await expect(blobs.create(name)).rejects.toThrow("is no name of a blob");
    await expect(blobs.open(name)).rejects.toThrow("is no name of a blob");
    await expect(blobs.remove(name)).rejects.toThrow("is no name of a blob");
  });

  test("are there after the store was opened again", async () => {
    await keep(await open(), NAME, Buffer.from("x"));
    expect((await contentOf(await open(), NAME))?.toString()).toBe("x");
  });

  test("in the trash are known with the time, come back whole, or are removed for good", async () => {
    const blobs = await open();
    const { trash } = blobs;
    if (trash === undefined) throw new Error("there is no trash");
    await keep(blobs, NAME, Buffer.from("x"));
    await keep(blobs, OTHER, Buffer.from("y"));
    expect([...(await trash.list())]).toEqual([]);
    await trash.put(NAME);
    await trash.put(OTHER);
    await trash.put(OTHER);
    const listed = await trash.list();
    expect([...listed.keys()].sort()).toEqual([NAME, OTHER]);
    expect(Math.abs((listed.get(NAME) ?? 0) - Date.now())).toBeLessThan(3_600_000);
    await trash.restore(NAME);
    await trash.restore(NAME);
    expect([...(await trash.list()).keys()]).toEqual([OTHER]);
    expect((await contentOf(blobs, NAME))?.toString()).toBe("x");
    await trash.purge(OTHER);
    await trash.purge(OTHER);
    expect([...(await trash.list())]).toEqual([]);
    expect(await blobs.names()).toEqual([NAME]);
    expect(await blobs.open(OTHER)).toBeUndefined();
    await expect(trash.put("../x")).rejects.toThrow("is no name of a blob");
  });
});
