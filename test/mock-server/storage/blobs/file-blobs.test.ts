import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Files, isSystemError, SystemError } from "@upkeep/shared/system";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFileBlobs } from "../../../../mock-server/storage/blobs/index.ts";
import { NodeFiles } from "../../../../mock-server/system/files.ts";

const NAME = "0082f4c4-77de-48ec-be72-af837efdca6e";
const files = new NodeFiles();
let directory: string;

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), "upkeep-blobs-")), "blobs");
});

afterEach(() => {
  rmSync(join(directory, ".."), { recursive: true });
});

/** The file system, with one call made to fail. */
function failing(name: "rename" | "syncDirectory", when: (...args: string[]) => boolean): Files {
  return new Proxy<Files>(files, {
    get: (target, key) => {
      const real: unknown = Reflect.get(target, key);
      if (typeof real !== "function") return real;
      return (...args: string[]) =>
        key === name && when(...args) ? Promise.reject(new SystemError("EIO", "no")) : real.apply(target, args);
    },
  });
}

/** The file system, and how many reads are under way in it. */
function countedReads(): { readonly files: Files; readonly reads: { now: number; most: number } } {
  const reads = { now: 0, most: 0 };
  const counted = async (read: Promise<number>): Promise<number> => {
    reads.now += 1;
    reads.most = Math.max(reads.most, reads.now);
    return await read.finally(() => {
      reads.now -= 1;
    });
  };
  const counting = new Proxy<Files>(files, {
    get: (target, key) => {
      const real: unknown = Reflect.get(target, key);
      if (key !== "open") return typeof real === "function" ? real.bind(target) : real;
      return async (...args: Parameters<Files["open"]>) => {
        const handle = await target.open(...args);
        const read = handle.read.bind(handle);
        handle.read = (...place) => counted(read(...place));
        return handle;
      };
    },
  });
  return { files: counting, reads };
}

test("a blob that is discarded leaves nothing", async () => {
  const blobs = await openFileBlobs(files, directory);
  const writer = await blobs.create(NAME);
  await writer.write(Buffer.from("x"));
  await writer.discard();
  await writer.discard();
  expect(readdirSync(directory)).toEqual([]);
});

test("a name is taken while it is written and afterwards", async () => {
  const blobs = await openFileBlobs(files, directory);
  const taken = (error: unknown): boolean => isSystemError(error, "EEXIST");
  const writer = await blobs.create(NAME);
  await expect(blobs.create(NAME)).rejects.toSatisfy(taken);
  await writer.commit();
  await expect(blobs.create(NAME)).rejects.toSatisfy(taken);
  expect(readdirSync(directory)).toEqual([NAME]);
});

test("what an earlier run did not finish is removed when the store is opened", async () => {
  await openFileBlobs(files, directory);
  writeFileSync(join(directory, `${NAME}.part`), "half");
  const blobs = await openFileBlobs(files, directory);
  expect(readdirSync(directory)).toEqual([]);
  await (await blobs.create(NAME)).discard();
});

test.each([
  ["rename", failing("rename", () => true)],
  ["syncDirectory", failing("syncDirectory", (path) => readdirSync(path).includes(NAME))],
])("a commit whose %s fails leaves nothing and says so", async (_, faulty) => {
  const blobs = await openFileBlobs(faulty, directory);
  const writer = await blobs.create(NAME);
  await writer.write(Buffer.from("x"));
  await expect(writer.commit()).rejects.toThrow("no");
  expect(readdirSync(directory)).toEqual([]);
});

test("However many blobs are read, four reads are under way at once, and all are read to their end", async () => {
  const { files: counting, reads } = countedReads();
  const blobs = await openFileBlobs(counting, directory);
  const writer = await blobs.create(NAME);
  const content = Buffer.alloc(300 * 1024, "x");
  await writer.write(content);
  await writer.commit();
  const lengths = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const blob = await blobs.open(NAME);
      let length = 0;
      for await (const chunk of blob?.read(0, content.length) ?? []) length += chunk.length;
      await blob?.close();
      return length;
    }),
  );
  expect(lengths).toEqual(Array.from({ length: 20 }, () => content.length));
  expect(reads.most).toBe(4);
  expect(reads.now).toBe(0);
});
