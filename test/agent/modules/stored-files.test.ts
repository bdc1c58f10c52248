import type { PayloadFile } from "@upkeep/shared/artifact";
import { describe, expect, it } from "vitest";
import { storeFiles } from "../../../agent/modules/stored-files.ts";
import { MemoryFiles } from "../support/memory-files.ts";

async function* payload(fault?: Error): AsyncGenerator<PayloadFile> {
  const common = { sha256: "", modifiedMs: 0, sizeBytes: 4 };
  yield { ...common, name: "first", content: pieces("fi", "rs") };
  yield { ...common, name: "second", content: pieces("se", "co") };
  if (fault !== undefined) throw fault;
}

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function tree(): Promise<MemoryFiles> {
  const files = new MemoryFiles();
  await files.makeDirectory("/tree");
  return files;
}

describe("a payload that is stored for its update module", () => {
  const never = new AbortController().signal;

  it("lies in files/ as it came", async () => {
    const files = await tree();
    await storeFiles(files, "/tree", payload(), { signal: never, augmented: false });
    expect(files.below("/tree")).toEqual(["/tree/files", "/tree/files/first", "/tree/files/second"]);
    expect(files.text("/tree/files/second")).toBe("seco");
  });

  it("is removed at once, all of it, when the artifact turns out to be wrong or the disk is full", async () => {
    const wrong = await tree();
    await expect(
      storeFiles(wrong, "/tree", payload(new Error("not whole")), { signal: never, augmented: false }),
    ).rejects.toThrow("not whole");
    expect(wrong.below("/tree")).toEqual([]);
    const full = await tree();
    full.refuse = (path) => path.endsWith("second");
    await expect(storeFiles(full, "/tree", payload(), { signal: never, augmented: false })).rejects.toMatchObject({
      code: "disk-full",
    });
    expect(full.below("/tree")).toEqual([]);
  });
});
