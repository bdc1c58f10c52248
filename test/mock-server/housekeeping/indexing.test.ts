import { createLogger } from "@upkeep/shared/logging";
import { expect, onTestFinished, test } from "vitest";
import { Indexing } from "../../../mock-server/housekeeping/indexing.ts";
import { sweep } from "../../../mock-server/housekeeping/sweeping.ts";
import { compressHere } from "../../../mock-server/releases/adaptive/chunk-compression.ts";
import { takeArtifact } from "../../../mock-server/releases/upload.ts";
import { type Blobs, MemoryBlobs } from "../../../mock-server/storage/blobs/index.ts";
import { bytesOf } from "../../shared/artifact/adaptive/support.ts";
import { makeArtifact } from "../api/fixture.ts";
import { openTestDomain } from "../domain-fixture.ts";

async function setup() {
  const { domain, system } = await openTestDomain();
  onTestFinished(() => domain.close());
  const blobs = new MemoryBlobs(system.clock.now);
  const lines: string[] = [];
  const logger = createLogger({ level: "debug", format: "json", write: (line) => lines.push(line), now: () => 0 });
  const indexing = (store: Blobs = blobs, compression = compressHere()) => {
    const made = new Indexing({ system, domain, blobs: store, compression, logger });
    onTestFinished(() => made.stop());
    return made;
  };
  const upload = async (name: string) => {
    const content = await makeArtifact({ name, content: bytesOf(200_000, name.length) });
    const source = (async function* () {
      yield content;
    })();
    return await takeArtifact(
      { content: source, description: "" },
      { system, blobs, record: (artifact) => domain.artifacts.insert(artifact) },
    );
  };
  const isIndexed = async (id: string) => "index" in ((await domain.artifacts.indexesOf([id])).get(id) ?? {});
  return { domain, system, blobs, lines, logger, indexing, upload, isIndexed };
}

/** The store with other operations in place of its own. */
function changed(blobs: Blobs, change: Partial<Blobs>): Blobs {
  return {
    create: (name) => blobs.create(name),
    open: (name) => blobs.open(name),
    remove: (name) => blobs.remove(name),
    names: () => blobs.names(),
    writtenMs: (name) => blobs.writtenMs(name),
    ...change,
  };
}

test("artifacts that were there before are indexed at the start, and new ones when they come", async () => {
  const { indexing, upload, isIndexed, blobs } = await setup();
  const [first, second] = [await upload("one"), await upload("two!")];
  const running = indexing();
  running.wake();
  await running.idle();
  expect([await isIndexed(first), await isIndexed(second)]).toEqual([true, true]);
  const third = await upload("three");
  await running.idle();
  expect(await isIndexed(third)).toBe(true);
  expect(await blobs.names()).toHaveLength(9);
});

test("work that the end of the server interrupts is begun again at the next start, and leaves nothing", async () => {
  const { indexing, upload, isIndexed, blobs } = await setup();
  const id = await upload("one");
  let stopping: Promise<void> | undefined;
  const first: Indexing = indexing(blobs, {
    compress: async (content) => {
      stopping ??= first.stop();
      return content;
    },
    close: () => Promise.resolve(),
  });
  first.wake();
  await first.idle();
  await stopping;
  expect(await isIndexed(id)).toBe(false);
  expect(await blobs.names()).toEqual([id]);
  const second = indexing();
  second.wake();
  await second.idle();
  expect(await isIndexed(id)).toBe(true);
});

test("a store that fails leaves the artifact without an index, and does not keep others from theirs", async () => {
  const { indexing, upload, isIndexed, blobs, lines } = await setup();
  const [id, other] = [await upload("one"), await upload("two!")];
  const failing = changed(blobs, {
    open: (name: string) => (name === id ? Promise.reject(new Error("EIO")) : blobs.open(name)),
  });
  const running = indexing(failing);
  running.wake();
  await running.idle();
  expect([await isIndexed(id), await isIndexed(other)]).toEqual([false, true]);
  expect(lines.join("")).toContain("could not be indexed");
});

test("chunks that the store gives back otherwise are not published", async () => {
  const { indexing, upload, isIndexed, blobs, lines } = await setup();
  const id = await upload("one");
  const lying = changed(blobs, {
    create: async (name: string) => {
      const writer = await blobs.create(name);
      const write = (data: Uint8Array): Promise<void> => {
        const other = Uint8Array.from(data);
        other[1000] = (other[1000] ?? 0) ^ 1;
        return writer.write(other);
      };
      return { write, commit: () => writer.commit(), discard: () => writer.discard() };
    },
  });
  const running = indexing(lying);
  running.wake();
  await running.idle();
  expect(await isIndexed(id)).toBe(false);
  expect(lines.join("")).toContain("could not be indexed");
  expect(await blobs.names()).toEqual([id]);
});

test("an index whose blobs are missing, as after a backup, is forgotten before it is offered, and made again", async () => {
  const { indexing, upload, isIndexed, blobs, domain } = await setup();
  const id = await upload("one");
  const first = indexing();
  first.wake();
  await first.idle();
  const [made] = await domain.artifacts.indexes();
  await blobs.remove(made?.index.chunks.blob ?? "");
  const second = indexing();
  await second.forgetMissing();
  expect(await isIndexed(id)).toBe(false);
  second.wake();
  await second.idle();
  expect(await isIndexed(id)).toBe(true);
});

test("sweeping the store keeps the indexes, and takes what is left of one that was forgotten", async () => {
  const { indexing, upload, blobs, domain, system, logger } = await setup();
  await upload("one");
  const running = indexing();
  running.wake();
  await running.idle();
  const trashed: string[] = [];
  const store = changed(blobs, {
    trash: {
      list: async () => new Map(),
      put: async (name) => {
        trashed.push(name);
      },
      restore: () => Promise.resolve(),
      purge: () => Promise.resolve(),
    },
  });
  system.nowMs += 2 * 24 * 3_600_000;
  await sweep(system, store, domain, logger);
  expect(trashed).toEqual([]);
  const [made] = await domain.artifacts.indexes();
  await domain.artifacts.forgetIndexes([made?.artifactId ?? ""]);
  await sweep(system, store, domain, logger);
  expect(trashed.sort()).toEqual([made?.index.index.blob, made?.index.chunks.blob].sort());
});

test("an artifact that is deleted while it is indexed leaves nothing", async () => {
  const { indexing, upload, blobs, domain } = await setup();
  const id = await upload("one");
  let deleting: Promise<unknown> | undefined;
  const running = indexing(blobs, {
    compress: async (content) => {
      deleting ??= domain.artifacts.delete(id);
      await deleting;
      return content;
    },
    close: () => Promise.resolve(),
  });
  running.wake();
  await running.idle();
  expect(await blobs.names()).toEqual([id]);
});
