import { collectBody, type FileHandle, type Files, readChunks, readFile, readTextFile } from "@upkeep/shared/system";
import { expect, test } from "vitest";

/** One file of `content`, read `stepBytes` at a time; knows whether it is closed while a read is under way. */
function fileOf(content: Uint8Array, stepBytes: number) {
  const state = { reading: 0, closedWhileReading: false, closed: false };
  let position = 0;
  const handle: FileHandle = {
    read: async (buffer) => {
      state.reading += 1;
      await Promise.resolve();
      const piece = content.subarray(position, position + Math.min(stepBytes, buffer.length));
      buffer.set(piece);
      position += piece.length;
      state.reading -= 1;
      return piece.length;
    },
    write: async () => undefined,
    sync: async () => undefined,
    status: async () => ({ kind: "file", sizeBytes: content.length, mode: 0o600, modifiedMs: 0, inode: 1 }),
    close: async () => {
      state.closed = true;
      state.closedWhileReading ||= state.reading > 0;
    },
  };
  const files = {
    status: async (path: string) => (path === "/there" ? handle.status() : undefined),
    open: async () => handle,
  } as Partial<Files> as Files;
  return { state, handle, files };
}

const content = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);

test("chunks add up to the file, whatever the size of a read", async () => {
  for (const step of [1, 7, 64, 1000, 5000]) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of readChunks(fileOf(content, step).handle, 100)) chunks.push(Uint8Array.from(chunk));
    expect(Buffer.concat(chunks).equals(content)).toBe(true);
  }
});

test("a chunk is good until two more have been asked for", async () => {
  const chunks = readChunks(fileOf(content, 10).handle, 10);
  const kept: { readonly bytes: Uint8Array; readonly copy: Buffer }[] = [];
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
    kept.push({ bytes: next.value, copy: Buffer.from(next.value) });
    for (const { bytes, copy } of kept.slice(-3)) expect(copy.equals(bytes)).toBe(true);
  }
  expect(kept).toHaveLength(100);
});

test("who stops in the middle can close the file at once: no read is under way then", async () => {
  const { handle, state } = fileOf(content, 10);
  for await (const chunk of readChunks(handle, 10)) {
    expect(chunk).toHaveLength(10);
    break;
  }
  await handle.close();
  expect(state.closedWhileReading).toBe(false);
});

test("a small file is read whole and closed; one that is not there is undefined", async () => {
  const { files, state } = fileOf(content, 64);
  expect((await readFile(files, "/there", 1000))?.equals(content)).toBe(true);
  expect(state.closed).toBe(true);
  expect(await readTextFile(files, "/nowhere", 10)).toBeUndefined();
});

test("a file or an answer beyond its limit is an error that names the limit, and the file is closed", async () => {
  const { files, state } = fileOf(content, 64);
  await expect(readFile(files, "/there", 999)).rejects.toMatchObject({
    code: "EFBIG",
    message: "/there is larger than 999 bytes",
  });
  expect(state.closed).toBe(true);
  async function* body() {
    yield content;
    yield content;
  }
  await expect(collectBody(body(), 1999)).rejects.toMatchObject({ code: "EMSGSIZE" });
  expect(await collectBody(body(), 2000)).toHaveLength(2000);
});
