import {
  createDirectoryDurably,
  type FileHandle,
  type Files,
  removeDurably,
  replaceFile,
  SystemError,
} from "@upkeep/shared/system";
import { expect, test } from "vitest";

/** Files that only remember what was asked of them, in order, and fail the call that they are told to fail. */
function recorder(existing: string[] = [], failing?: string, links: Readonly<Record<string, string>> = {}) {
  const calls: string[] = [];
  const record = async (call: string): Promise<void> => {
    calls.push(call);
    if (call === failing) throw new SystemError("EIO", `${call} failed`);
  };
  const there = new Set(existing);
  const handle = (path: string): FileHandle => ({
    read: async () => 0,
    write: (data) => record(`write ${path} ${Buffer.from(data).toString()}`),
    sync: () => record(`sync ${path}`),
    status: async () => ({ kind: "file", sizeBytes: 0, mode: 0o600, modifiedMs: 0, inode: 1 }),
    close: () => record(`close ${path}`),
  });
  const files: Partial<Files> = {
    open: async (path, mode, permissions = 0) => {
      await record(`open ${path} ${mode} ${permissions.toString(8)}`);
      return handle(path);
    },
    rename: (from, to) => record(`rename ${from} ${to}`),
    syncDirectory: (path) => record(`syncDirectory ${path}`),
    makeDirectory: (path) => record(`makeDirectory ${path}`),
    remove: (path) => record(`remove ${path}`),
    readLink: async (path) => links[path],
    status: async (path) =>
      there.has(path) ? { kind: "directory", sizeBytes: 0, mode: 0o755, modifiedMs: 0, inode: 1 } : undefined,
  };
  return { calls, files: files as Files };
}

test("replacing a file: its content is durable before it gets the name, and the name before it returns", async () => {
  const { calls, files } = recorder();
  await replaceFile(files, "/data/store.json", "new");
  expect(calls).toEqual([
    "open /data/store.json.new write 600",
    "write /data/store.json.new new",
    "sync /data/store.json.new",
    "close /data/store.json.new",
    "rename /data/store.json.new /data/store.json",
    "syncDirectory /data",
  ]);
});

test("a file that could not be written does not replace the old one, and its handle is closed", async () => {
  const { calls, files } = recorder([], "sync /data/store.json.new");
  await expect(replaceFile(files, "/data/store.json", "new")).rejects.toThrow("sync /data/store.json.new failed");
  // What is half written takes no room from the next try.
  expect(calls.slice(-2)).toEqual(["close /data/store.json.new", "remove /data/store.json.new"]);
  expect(calls.some((call) => call.startsWith("rename"))).toBe(false);
});

test("a new directory is durable with every parent that had to be made", async () => {
  const { calls, files } = recorder(["/", "/var"]);
  await createDirectoryDurably(files, "/var/lib/upkeep");
  expect(calls).toEqual([
    "makeDirectory /var/lib",
    "syncDirectory /var",
    "makeDirectory /var/lib/upkeep",
    "syncDirectory /var/lib",
  ]);
});

test("the directory of a link to nowhere is its target", async () => {
  const { calls, files } = recorder(["/", "/var", "/data"], undefined, { "/var/upkeep": "../data/upkeep" });
  await createDirectoryDurably(files, "/var/upkeep");
  expect(calls).toContain("makeDirectory /var/../data/upkeep");
});

test("removing is durable, and nothing is done where there is nothing", async () => {
  const present = recorder(["/data/tree"]);
  await removeDurably(present.files, "/data/tree");
  expect(present.calls).toEqual(["remove /data/tree", "syncDirectory /data"]);
  const absent = recorder();
  await removeDurably(absent.files, "/data/tree");
  expect(absent.calls).toEqual([]);
});
