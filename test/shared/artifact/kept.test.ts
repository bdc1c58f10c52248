import { randomBytes } from "node:crypto";
import { type ArtifactContent, type Compression, openArtifact, type PayloadFile } from "@upkeep/shared/artifact";
import { writeArtifact } from "@upkeep/shared/artifact/write";
import { describe, expect, it } from "vitest";
import { chunked, collect, MemorySink, sourceFile } from "./support.ts";

const FILES = { first: randomBytes(70_000), second: randomBytes(50_000) };

async function artifact(compression: Compression): Promise<Buffer> {
  const sink = new MemorySink();
  const files = Object.entries(FILES).map(([name, content]) => sourceFile(name, content));
  const plan = { kind: "module-image", type: "app", artifactName: "r1", deviceTypes: ["board"], files } as const;
  await writeArtifact({ ...plan, compression }, sink);
  return sink.content;
}

/** A source that can leave out what it is told to, and counts what it gave. */
function skipping(bytes: Uint8Array): ArtifactContent & { readonly given: () => number } {
  let offset = 0;
  let given = 0;
  return {
    async *[Symbol.asyncIterator]() {
      while (offset < bytes.length) {
        const piece = bytes.subarray(offset, offset + 4096);
        offset += piece.length;
        given += piece.length;
        yield piece;
      }
    },
    skip: async (count) => {
      offset += count;
    },
    given: () => given,
  };
}

/** Read an artifact's files; `keep` tells how much of each is at hand already. */
async function read(source: ArtifactContent, keep: (file: PayloadFile) => Uint8Array): Promise<Record<string, Buffer>> {
  const came: Record<string, Buffer> = {};
  const reading = await openArtifact(source);
  for await (const payload of reading.payloads())
    for await (const file of payload.files()) {
      if (!(await file.goOnAfter(chunked(keep(file), 1000)))) throw new Error(`${file.name} was not kept`);
      came[file.name] = await collect(file.content);
    }
  return came;
}

const contentOf = ({ name }: PayloadFile): Buffer => FILES[name as keyof typeof FILES];

describe("a file of which a part is at hand already", () => {
  it.each(["none", "gzip"] as const)("is read from there on, and verified as a whole: %s", async (compression) => {
    const content = await artifact(compression);
    const came = await read(chunked(content), (file) => contentOf(file).subarray(0, 30_000));
    expect(came.first?.equals(FILES.first.subarray(30_000))).toBe(true);
    expect(came.second?.equals(FILES.second.subarray(30_000))).toBe(true);
    const nothing = await read(chunked(content), contentOf);
    expect([nothing.first?.length, nothing.second?.length]).toEqual([0, 0]);
  });

  it("is left out by a source that can do that, if the payload is not compressed", async () => {
    const plain = skipping(await artifact("none"));
    await read(plain, (file) => contentOf(file).subarray(0, 45_000));
    expect(plain.given()).toBeLessThan(25_000 + 5000 + 4 * 4096 + 10_240);
    const content = await artifact("gzip");
    const compressed = skipping(content);
    await read(compressed, contentOf);
    expect(compressed.given()).toBe(content.length);
  });

  it("fails at its end if the part was of something else", async () => {
    const wrong = read(chunked(await artifact("none")), (file) => randomBytes(contentOf(file).length - 1));
    await expect(wrong).rejects.toMatchObject({ code: "checksum-mismatch" });
  });

  it("is not gone on with where that cannot be: what is at hand is all of it and wrong, or more than all", async () => {
    const content = await artifact("none");
    for (const bytes of [70_000, 70_001]) {
      const reading = await openArtifact(chunked(content));
      for await (const payload of reading.payloads())
        for await (const file of payload.files()) {
          expect(await file.goOnAfter(chunked(randomBytes(file.name === "first" ? bytes : 60_000)))).toBe(false);
          // Nothing was left out: all of it comes.
          expect((await collect(file.content)).equals(contentOf(file))).toBe(true);
        }
    }
  });
});
