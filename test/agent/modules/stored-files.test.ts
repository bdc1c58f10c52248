import { createHash } from "node:crypto";
import type { PayloadFile } from "@upkeep/shared/artifact";
import { describe, expect, it } from "vitest";
import { type StoredSoFar, type StoringOptions, storeFiles } from "../../../agent/modules/stored-files.ts";
import { MemoryFiles } from "../support/memory-files.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Files as a reader of artifacts gives them, and what of them was asked for. */
class PayloadOf {
  /** By name, what came of each file over the network. */
  readonly came: Record<string, string> = {};
  readonly #contents: Readonly<Record<string, string>>;

  constructor(contents: Readonly<Record<string, string>> = { first: "firs", second: "seco" }) {
    this.#contents = contents;
  }

  async *files(fault?: Error): AsyncGenerator<PayloadFile> {
    for (const [name, text] of Object.entries(this.#contents)) yield this.#file(name, text);
    if (fault !== undefined) throw fault;
  }

  #file(name: string, text: string): PayloadFile {
    const { came } = this;
    let from = 0;
    const content = async function* () {
      came[name] = "";
      const step = Math.max(2, Math.ceil(text.length / 8));
      for (let at = from; at < text.length; at += step) {
        came[name] += text.slice(at, at + step);
        yield Buffer.from(text.slice(at, at + step));
      }
    };
    return {
      name,
      sha256: sha256(text),
      modifiedMs: 0,
      sizeBytes: text.length,
      content: { [Symbol.asyncIterator]: () => content() },
      goOnAfter: async (kept) => {
        let had = "";
        for await (const chunk of kept) had += Buffer.from(chunk).toString();
        if (had.length === text.length && had !== text) return false;
        from = had.length;
        return true;
      },
    };
  }
}

async function tree(contents: Readonly<Record<string, string>> = {}): Promise<MemoryFiles> {
  const files = new MemoryFiles();
  await files.makeDirectory("/tree");
  for (const [name, text] of Object.entries(contents)) files.put(`/tree/files/${name}`, text);
  return files;
}

function store(files: MemoryFiles, payload: AsyncIterable<PayloadFile>, options: Partial<StoringOptions> = {}) {
  return storeFiles(
    {
      system: { files, clock: { now: () => 0, monotonic: () => 0 } },
      tree: "/tree",
      signal: new AbortController().signal,
      augmented: false,
      pace: { bytes: 1000, ms: 1000 },
      ...options,
    },
    payload,
  );
}

describe("a payload that is stored for its update module", () => {
  it("lies in files/ as it came", async () => {
    const files = await tree();
    await store(files, new PayloadOf().files());
    expect(files.below("/tree")).toEqual(["/tree/files", "/tree/files/first", "/tree/files/second"]);
    expect(files.text("/tree/files/second")).toBe("seco");
  });

  it("is removed at once, all of it, when the artifact turns out to be wrong or the disk is full", async () => {
    const wrong = await tree();
    await expect(store(wrong, new PayloadOf().files(new Error("not whole")))).rejects.toThrow("not whole");
    expect(wrong.below("/tree")).toEqual([]);
    const full = await tree();
    full.refuse = (path) => path.endsWith("second");
    await expect(store(full, new PayloadOf().files())).rejects.toMatchObject({ code: "disk-full" });
    expect(full.below("/tree")).toEqual([]);
  });

  it("is synced all at once if its files are small, and each by itself if they are large", async () => {
    const names = Array.from({ length: 100 }, (_, index) => `file-${String(index).padStart(2, "0")}`);
    const small = await tree();
    await store(small, new PayloadOf(Object.fromEntries(names.map((name) => [name, name]))).files());
    expect(small.synced).toEqual([names.map((name) => `/tree/files/${name}`)]);
    const large = await tree();
    await store(large, new PayloadOf({ first: "1".repeat(100_000), second: "2".repeat(100_000) }).files());
    expect(large.synced).toEqual([["/tree/files/first"], ["/tree/files/second"]]);
  });

  it("is durable as far as is told of it", async () => {
    const files = await tree();
    const onStored = async ({ path }: StoredSoFar): Promise<void> => {
      const stored = files.below("/tree/files");
      expect(stored.at(-1)).toBe(`/tree/${path}`);
      expect([...new Set(files.synced.flat())].sort()).toEqual(stored);
      files.synced.length = 0;
      files.synced.push(stored);
    };
    const contents = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`file-${index}`, `${index}`]));
    await store(files, new PayloadOf(contents).files(), { pace: { bytes: 3, ms: 1000 }, onStored });
    expect(files.synced.flat().sort().at(-1)).toBe("/tree/files/file-7");
  });

  it("stays as far as it came when the program is to end", async () => {
    const files = await tree();
    const ending = new AbortController();
    const onStored = async (): Promise<void> => ending.abort(new Error("the program ends"));
    const options = { signal: ending.signal, pace: { bytes: 2, ms: 1000 }, onStored };
    await expect(store(files, new PayloadOf().files(), options)).rejects.toThrow("the program ends");
    expect(files.text("/tree/files/first")).toMatch(/^fi/);
  });

  it("tells how far it is in the pace that is wanted, by bytes and by time", async () => {
    const told: StoredSoFar[] = [];
    const onStored = async (stored: StoredSoFar): Promise<void> => void told.push(stored);
    await store(await tree(), new PayloadOf({ first: "firs", second: "second" }).files(), {
      pace: { bytes: 3, ms: 1000 },
      onStored,
    });
    expect(told).toEqual([
      { path: "files/first", sha256: sha256("firs"), bytes: 4 },
      { path: "files/second", sha256: sha256("second"), bytes: 4 },
    ]);
    told.length = 0;
    let nowMs = 0;
    const clock = { now: () => 0, monotonic: () => (nowMs += 10) };
    const files = await tree();
    await store(files, new PayloadOf().files(), { system: { files, clock }, pace: { bytes: 1000, ms: 25 }, onStored });
    expect(told.length).toBeGreaterThan(0);
  });
});

describe("a payload of which an earlier life stored a part", () => {
  const CONTENTS = { first: "firs", second: "second", third: "thir" };
  const before: StoredSoFar = { path: "files/second", sha256: sha256("second"), bytes: 4 };

  it("is not brought again as far as it was made durable, whatever lies behind that", async () => {
    const payload = new PayloadOf(CONTENTS);
    const files = await tree({ first: "firs", second: "secoXX", third: "garb" });
    await store(files, payload.files(), { before });
    expect(payload.came).toEqual({ first: "", second: "nd", third: "thir" });
    for (const [name, text] of Object.entries(CONTENTS)) expect(files.text(`/tree/files/${name}`)).toBe(text);
  });

  it.each([
    ["a complete file is another one", { first: "last", second: "seco" }, before, { first: "firs", second: "second" }],
    ["a complete file is missing", { second: "seco" }, before, { first: "firs", second: "second" }],
    [
      "a file is shorter than it was said to be",
      { first: "firs", second: "sec" },
      before,
      { first: "", second: "second" },
    ],
    [
      "a file is longer than it can be",
      { first: "firs", second: "secondary" },
      before,
      { first: "", second: "second" },
    ],
    [
      "the artifact has another file under the name",
      { first: "firs", second: "seco" },
      { ...before, sha256: sha256("another") },
      { first: "", second: "second" },
    ],
  ])("is brought again from where it is not as it was: %s", async (_name, contents, stored, came) => {
    const payload = new PayloadOf(CONTENTS);
    const files = await tree(contents);
    await store(files, payload.files(), { before: stored });
    expect(payload.came).toEqual({ ...came, third: "thir" });
    for (const [name, text] of Object.entries(CONTENTS)) expect(files.text(`/tree/files/${name}`)).toBe(text);
  });

  it("keeps nothing that is no part of it", async () => {
    const files = await tree({ first: "firs", second: "seco", another: "?" });
    await store(files, new PayloadOf(CONTENTS).files(), { before });
    expect(files.below("/tree/files")).toEqual(["first", "second", "third"].map((name) => `/tree/files/${name}`));
  });
});
