import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { keepUpload, waitingName } from "../../../mock-server/releases/direct-upload.ts";
import { type Blobs, openFileBlobs } from "../../../mock-server/storage/blobs/index.ts";
import { NodeFiles } from "../../../mock-server/system/files.ts";

const ID = "0082f4c4-77de-48ec-be72-af837efdca6e";

async function store() {
  const directory = mkdtempSync(join(tmpdir(), "upkeep-direct-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return { directory, blobs: await openFileBlobs(new NodeFiles(), directory) };
}

async function sizeOf(blobs: Blobs): Promise<number | undefined> {
  const blob = await blobs.open(waitingName(ID));
  await blob?.close();
  return blob?.sizeBytes;
}

async function* bytes(...pieces: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece);
}

test("The bytes of an upload wait under a name that is never the artifact's own", async () => {
  const { directory, blobs } = await store();
  await keepUpload(ID, bytes("a", "b"), { blobs });
  await keepUpload(ID, bytes("abc"), { blobs });
  expect(readdirSync(directory)).toEqual([waitingName(ID)]);
  expect(waitingName(ID)).not.toBe(ID);
  expect(await sizeOf(blobs)).toBe(3);
});

test("Of two that upload to one link at the same time the second is told so, and the first goes on", async () => {
  const { blobs } = await store();
  let goOn = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let begun = (): void => undefined;
  const hasBegun = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const first = keepUpload(
    ID,
    (async function* () {
      begun();
      yield Buffer.from("first");
      await held;
    })(),
    { blobs },
  );
  await hasBegun;
  await expect(keepUpload(ID, bytes("second"), { blobs })).rejects.toMatchObject({ kind: "conflict" });
  goOn();
  await first;
  expect(await sizeOf(blobs)).toBe(5);
});

test("An upload that breaks off leaves nothing", async () => {
  const { directory, blobs } = await store();
  const broken = (async function* () {
    yield Buffer.from("half");
    throw new Error("the client has gone");
  })();
  await expect(keepUpload(ID, broken, { blobs })).rejects.toThrow("the client has gone");
  expect(readdirSync(directory)).toEqual([]);
});
