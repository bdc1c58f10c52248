import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Files, isSystemError, SystemError } from "@upkeep/shared/system";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFileBlobs } from "../../../../mock-server/storage/blobs/index.ts";
import { NodeFiles } from "../../../../mock-server/system/files.ts";
import { collect } from "../../../shared/artifact/support.ts";

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

test("a blob exists once it is committed, and is read whole or in part", async () => {
  const blobs = await openFileBlobs(files, directory);
  const content = Buffer.alloc(600_000, "0123456789");
  const writer = await blobs.create(NAME);
  await writer.write(content.subarray(0, 250_001));
  expect(await blobs.open(NAME)).toBeUndefined();
  expect(await blobs.names()).toEqual([]);
  await writer.write(content.subarray(250_001));
  await writer.commit();
  await writer.discard();
  expect(await blobs.names()).toEqual([NAME]);
  const blob = await blobs.open(NAME);
  expect(blob?.sizeBytes).toBe(content.length);
  if (blob === undefined) return;
  expect((await collect(blob.read(0, blob.sizeBytes))).equals(content)).toBe(true);
  expect((await collect(blob.read(262_143, 262_146))).equals(content.subarray(262_143, 262_146))).toBe(true);
  expect(await collect(blob.read(5, 5))).toHaveLength(0);
  // Who reads it now still reads it to its end.
  await blobs.remove(NAME);
  expect(await blobs.open(NAME)).toBeUndefined();
  expect((await collect(blob.read(599_990, 600_000))).toString()).toBe("0123456789");
  await expect(collect(blob.read(599_990, 600_001))).rejects.toThrow("the file ends at byte 600000");
  await blob.close();
  await blobs.remove(NAME);
});

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

test.each(["", "..", "../x", "a/b", `${NAME}.part`, NAME.toUpperCase()])("%j is no name", async (name) => {
  const blobs = await openFileBlobs(files, directory);
  await expect(blobs.create(name)).rejects.toThrow("is no name of a blob");
  await expect(blobs.open(name)).rejects.toThrow("is no name of a blob");
  await expect(blobs.remove(name)).rejects.toThrow("is no name of a blob");
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
