import { expect, test } from "vitest";
import {
  afterPowerCut,
  afterShutdown,
  Disk,
  decidedFingerprint,
  EVERY_WRITE_TORN,
  EVERY_WRITE_ZEROS,
  EVERYTHING_KEPT,
  EVERYTHING_LOST,
  fingerprint,
  NAMES_LOST,
  type Survival,
  survivalByChance,
  UNDECIDED,
  unsyncedChanges,
  WRITES_LOST,
} from "../../../../mock-server/scenarios/simulation/index.ts";
import { SeededRandom } from "../../../../mock-server/system/seeded-random.ts";
import { fc } from "../../../support/fast-check.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function contentOf(disk: Disk, path: string): string | undefined {
  let node: ReturnType<Disk["find"]>;
  try {
    node = disk.find(path);
  } catch {
    return undefined;
  }
  return node?.kind === "file" || node?.kind === "device" ? new TextDecoder().decode(node.content.bytes) : undefined;
}

/** Write a file; `synced`: its bytes, `named`: its name. */
function put(disk: Disk, path: string, text: string, { synced = false, named = false } = {}): void {
  const file = disk.openForWriting(path, 0o600, false);
  disk.truncate(file);
  disk.write(file, 0, bytes(text), path);
  if (synced) disk.sync(file);
  if (named) disk.syncDirectory(disk.directory(path.slice(0, path.lastIndexOf("/")) || "/", "open"));
}

const after = (disk: Disk, survival = EVERYTHING_LOST) => afterPowerCut(disk, survival);

test("what was synced, bytes and name, survives every power cut", () => {
  const disk = Disk.blank();
  put(disk, "/a", "old", { synced: true, named: true });
  for (const survival of [EVERYTHING_LOST, EVERYTHING_KEPT, EVERY_WRITE_TORN, NAMES_LOST, WRITES_LOST])
    expect(contentOf(after(disk, survival), "/a")).toBe("old");
  expect(unsyncedChanges(disk)).toBe(0);
});

test("a file whose name was not synced is gone, also if its bytes were", () => {
  const disk = Disk.blank();
  put(disk, "/a", "bytes", { synced: true });
  expect(contentOf(after(disk), "/a")).toBeUndefined();
  expect(contentOf(after(disk, EVERYTHING_KEPT), "/a")).toBe("bytes");
});

test("a file whose bytes were not synced has its name and the old bytes, a part, zeros or all", () => {
  const disk = Disk.blank();
  put(disk, "/a", "before", { synced: true, named: true });
  put(disk, "/a", "and then");
  expect(contentOf(after(disk), "/a")).toBe("before");
  expect(contentOf(after(disk, WRITES_LOST), "/a")).toBe("before");
  expect(contentOf(after(disk, EVERYTHING_KEPT), "/a")).toBe("and then");
  expect(contentOf(after(disk, EVERY_WRITE_TORN), "/a")).toBe("and ");
  expect(contentOf(after(disk, EVERY_WRITE_ZEROS), "/a")).toBe("\0".repeat(8));
});

test("each write by itself is lost or kept: a later one may be there without an earlier one", () => {
  const disk = Disk.blank();
  put(disk, "/a", "", { named: true });
  const file = disk.openForWriting("/a", 0o600, false);
  disk.write(file, 0, bytes("one"), "/a");
  disk.write(file, 3, bytes("two"), "/a");
  const laterOnly = after(disk, {
    ...EVERYTHING_KEPT,
    write: (change) => (change.kind === "write" && change.offset === 0 ? "lost" : "kept"),
  });
  expect(contentOf(laterOnly, "/a")).toBe("\0\0\0two");
});

test("a rename that was not synced may be undone; it never leaves both names, nor none", () => {
  const disk = Disk.blank();
  put(disk, "/a", "old", { synced: true, named: true });
  put(disk, "/a.new", "new", { synced: true, named: true });
  disk.rename("/a.new", "/a");
  expect(contentOf(disk, "/a")).toBe("new");
  const undone = after(disk);
  expect([contentOf(undone, "/a"), contentOf(undone, "/a.new")]).toEqual(["old", "new"]);
  const done = after(disk, EVERYTHING_KEPT);
  expect([contentOf(done, "/a"), contentOf(done, "/a.new")]).toEqual(["new", undefined]);
  disk.syncDirectory(disk.root);
  expect(contentOf(after(disk), "/a")).toBe("new");
});

test("a rename without a sync of the bytes leaves an empty file, as file systems do", () => {
  const disk = Disk.blank();
  put(disk, "/a", "old", { synced: true, named: true });
  put(disk, "/a.new", "new");
  disk.rename("/a.new", "/a");
  disk.syncDirectory(disk.root);
  expect(contentOf(after(disk), "/a")).toBe("");
});

test("a removal that was not synced may be undone", () => {
  const disk = Disk.blank();
  disk.makeDirectory("/d", 0o755);
  disk.syncDirectory(disk.root);
  put(disk, "/d/a", "x", { synced: true, named: true });
  disk.remove("/d");
  expect(disk.find("/d")).toBeUndefined();
  expect(contentOf(after(disk), "/d/a")).toBe("x");
  disk.syncDirectory(disk.root);
  expect(after(disk).find("/d")).toBeUndefined();
  disk.remove("/d/nothing/at/all");
});

test("files in a directory whose own name was not synced are gone with it", () => {
  const disk = Disk.blank();
  disk.makeDirectory("/d", 0o755);
  put(disk, "/d/a", "x", { synced: true, named: true });
  expect(after(disk).find("/d")).toBeUndefined();
});

test("permissions that were changed and not synced may be the old ones", () => {
  const disk = Disk.blank();
  put(disk, "/a", "x", { synced: true, named: true });
  disk.setPermissions("/a", 0o700);
  expect(after(disk).find("/a")?.mode).toBe(0o600);
  expect(after(disk, EVERYTHING_KEPT).find("/a")?.mode).toBe(0o700);
});

test("what is in memory is gone after a boot, whatever was synced; what is mounted within it is not", () => {
  const disk = Disk.blank();
  disk.addMount({ path: "/run", volatile: true });
  disk.addMount({ path: "/run/data" });
  put(disk, "/run/pid", "1", { synced: true, named: true });
  put(disk, "/run/data/a", "x", { synced: true, named: true });
  const next = after(disk, EVERYTHING_KEPT);
  expect(contentOf(next, "/run/pid")).toBeUndefined();
  expect(contentOf(next, "/run/data/a")).toBe("x");
  expect(next.find("/run")?.kind).toBe("directory");
});

test("a full disk takes what fits and says ENOSPC; removing gives the room back", () => {
  const disk = Disk.blank({ capacityBytes: 10 });
  put(disk, "/a", "123456");
  expect(() => put(disk, "/b", "abcdefgh")).toThrow("ENOSPC");
  expect(contentOf(disk, "/b")).toBe("abcd");
  expect(disk.freeBytes("/")).toBe(0);
  disk.remove("/a");
  expect(disk.freeBytes("/")).toBe(6);
});

test("a read-only mount refuses every change with EROFS, and another mount is another file system", () => {
  const disk = Disk.blank();
  const mount = disk.addMount({ path: "/data" });
  put(disk, "/data/a", "x");
  mount.readOnly = true;
  expect(() => put(disk, "/data/a", "y")).toThrow("EROFS");
  expect(() => disk.remove("/data/a")).toThrow("EROFS");
  expect(() => disk.makeDirectory("/data/d", 0o755)).toThrow("EROFS");
  expect(() => disk.rename("/data/a", "/data/b")).toThrow("EROFS");
  mount.readOnly = false;
  expect(() => disk.rename("/data/a", "/b")).toThrow("EXDEV");
});

test("links are followed on the way and at the end, and never by remove", () => {
  const disk = Disk.blank();
  disk.makeDirectory("/real/deep", 0o755);
  disk.makeLink("/link", "real");
  disk.makeLink("/loop", "/loop");
  put(disk, "/link/deep/a", "x");
  expect(contentOf(disk, "/real/deep/a")).toBe("x");
  expect(disk.realPath("/link/deep/../deep/a")).toBe("/real/deep/a");
  expect(() => disk.find("/loop")).toThrow("ELOOP");
  disk.remove("/link");
  expect(contentOf(disk, "/real/deep/a")).toBe("x");
});

/** Operations on three files in two directories. */
const path = fc.constantFrom("/d/a", "/d/b", "/e/c");
const operation = fc.oneof(
  fc.record({ kind: fc.constant("write" as const), path, text: fc.string({ maxLength: 12 }) }),
  fc.record({ kind: fc.constant("append" as const), path, text: fc.string({ maxLength: 12 }) }),
  fc.record({ kind: fc.constant("sync" as const), path }),
  fc.record({ kind: fc.constant("rename" as const), path, to: path }),
  fc.record({ kind: fc.constant("remove" as const), path }),
  fc.record({ kind: fc.constant("syncDirectory" as const), path: fc.constantFrom("/d", "/e") }),
);

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

function perform(disk: Disk, operations: readonly Operation[]): void {
  for (const one of operations) {
    const found = disk.find(one.path);
    if (one.kind === "write") put(disk, one.path, one.text);
    else if (one.kind === "append") {
      const file = disk.openForWriting(one.path, 0o600, false);
      disk.write(file, file.content.length, bytes(one.text), one.path);
    } else if (one.kind === "sync" && found?.kind === "file") disk.sync(found);
    else if (one.kind === "rename" && found !== undefined) disk.rename(one.path, one.to);
    else if (one.kind === "remove") disk.remove(one.path);
    else if (one.kind === "syncDirectory") disk.syncDirectory(disk.directory(one.path, "open"));
  }
}

function prepared(): Disk {
  const disk = Disk.blank();
  disk.makeDirectory("/d", 0o755);
  disk.makeDirectory("/e", 0o755);
  disk.syncAll();
  return disk;
}

const everything = (disk: Disk) => ["/d/a", "/d/b", "/e/c"].map((one) => contentOf(disk, one));

test("if everything is kept, a power cut changes nothing", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
      const disk = prepared();
      perform(disk, operations);
      expect(everything(after(disk, EVERYTHING_KEPT))).toEqual(everything(disk));
    }),
    { numRuns: 500 },
  );
});

test("after everything was synced, no power cut changes anything", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 30 }), fc.integer(), (operations, seed) => {
      const disk = prepared();
      perform(disk, operations);
      disk.syncAll();
      const chance = new SeededRandom(seed);
      const next = after(
        disk,
        survivalByChance(() => chance.fraction()),
      );
      expect(everything(next)).toEqual(everything(disk));
      expect(unsyncedChanges(disk)).toBe(0);
    }),
    { numRuns: 300 },
  );
});

test("every byte that a power cut leaves was once written there, or is a zero; what survives is durable", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 30 }), fc.integer(), (operations, seed) => {
      const disk = prepared();
      perform(disk, operations);
      const before = everything(disk);
      const chance = new SeededRandom(seed);
      const survivor = after(
        disk,
        survivalByChance(() => chance.fraction()),
      );
      const written = new Set(operations.flatMap((one) => ("text" in one ? [...bytes(one.text)] : [])));
      for (const text of everything(survivor))
        for (const byte of bytes(text ?? "")) expect(byte === 0 || written.has(byte)).toBe(true);
      // A second cut before anything else happens finds nothing to lose, and the disk itself was left alone.
      expect(everything(after(survivor))).toEqual(everything(survivor));
      expect(everything(disk)).toEqual(before);
    }),
    { numRuns: 500 },
  );
});

/** Notes what it is asked, and keeps everything. */
function curious(): { readonly asked: string[]; readonly survival: Survival } {
  const asked: string[] = [];
  const note = <T>(what: string, answer: T): T => {
    asked.push(what);
    return answer;
  };
  return {
    asked,
    survival: {
      name: () => note("name", true),
      write: ({ kind }) => note(kind, "kept" as const),
      mode: () => note("mode", true),
    },
  };
}

test("nobody decides what survives until somebody looks, and then only that", () => {
  const disk = Disk.blank();
  disk.makeDirectory("/d", 0o755);
  put(disk, "/d/a", "a");
  put(disk, "/d/b", "b");
  const { asked, survival } = curious();
  const survived = afterPowerCut(disk, survival);
  expect(asked).toEqual([]);
  expect(survived.find("/d/a")?.kind).toBe("file");
  expect(asked).toEqual(["name", "name"]);
  expect(contentOf(survived, "/d/a")).toBe("a");
  expect(asked).toEqual(["name", "name", "write"]);
  // To remove something nobody needs to know what of it there is.
  survived.remove("/d");
  expect(asked).toEqual(["name", "name", "write"]);
});

test("what nobody looked at is still undecided at the next power cut", () => {
  const disk = Disk.blank();
  put(disk, "/a", "bytes");
  const once = afterPowerCut(disk, UNDECIDED);
  expect(contentOf(afterPowerCut(once, EVERYTHING_LOST), "/a")).toBeUndefined();
  expect(contentOf(afterPowerCut(once, EVERYTHING_KEPT), "/a")).toBe("bytes");
  expect(contentOf(afterPowerCut(once, WRITES_LOST), "/a")).toBe("");
});

test("names that a rename ties together are decided together", () => {
  const disk = Disk.blank();
  put(disk, "/a", "old", { synced: true, named: true });
  put(disk, "/a.new", "new", { synced: true, named: true });
  disk.rename("/a.new", "/a");
  const once = afterPowerCut(disk, UNDECIDED);
  for (const [survival, a, unfinished] of [
    [EVERYTHING_LOST, "old", "new"],
    [EVERYTHING_KEPT, "new", undefined],
  ] as const) {
    const survived = afterPowerCut(once, survival);
    expect([contentOf(survived, "/a"), contentOf(survived, "/a.new")]).toEqual([a, unfinished]);
  }
});

test("an orderly end decides for ever what it kept", () => {
  const disk = Disk.blank();
  put(disk, "/a", "bytes");
  disk.syncAll();
  expect(contentOf(afterPowerCut(afterPowerCut(disk, UNDECIDED), EVERYTHING_LOST), "/a")).toBe("bytes");
});

test("what a power cut left undecided is decided by it still after an orderly end", () => {
  const disk = Disk.blank();
  put(disk, "/a", "bytes", { synced: false, named: true });
  put(disk, "/b", "bytes");
  for (const [survival, a, b] of [
    [EVERYTHING_LOST, "", undefined],
    [EVERYTHING_KEPT, "bytes", "bytes"],
  ] as const) {
    const ended = afterPowerCut(disk, survival);
    expect(decidedFingerprint(ended)).toBeUndefined();
    const booted = afterShutdown(ended);
    expect([contentOf(booted, "/a"), contentOf(booted, "/b")]).toEqual([a, b]);
    expect(decidedFingerprint(booted)).toBe(fingerprint(booted));
  }
});

test("what was appended survives in order: nothing after what was lost or torn", () => {
  for (const [fates, left] of [
    [["kept", "lost", "kept"], "one "],
    [["kept", { keptBytes: 2, zeros: false }, "kept"], "one tw"],
    [["kept", "kept", "lost"], "one two "],
  ] as const) {
    const disk = Disk.blank();
    put(disk, "/log", "", { named: true });
    const file = disk.openForWriting("/log", 0o600, false);
    for (const word of ["one ", "two ", "three "]) disk.write(file, file.content.length, bytes(word), "/log", true);
    const answers = [...fates];
    const survival: Survival = { ...EVERYTHING_KEPT, write: () => answers.shift() ?? "kept" };
    expect(contentOf(afterPowerCut(disk, survival), "/log")).toBe(left);
  }
});

test("disks have the same fingerprint if nothing can tell them apart, doubts included", () => {
  const make = (text: string, synced: boolean) => {
    const disk = Disk.blank();
    put(disk, "/a", text, { synced, named: true });
    return afterPowerCut(disk, UNDECIDED);
  };
  expect(fingerprint(make("text", true))).toBe(fingerprint(make("text", true)));
  expect(fingerprint(make("text", false))).toBe(fingerprint(make("text", false)));
  const different = [make("text", true), make("text", false), make("next", true), make("next", false)];
  expect(new Set(different.map(fingerprint)).size).toBe(4);
});
