import { type ArtifactPlan, type SourceFile, writeArtifact } from "@upkeep/shared/artifact/write";
import { describe, expect, it } from "vitest";
import {
  artifactOf,
  chunked,
  entriesOf,
  MemorySink,
  type Parts,
  readBack,
  refusal,
  sha256,
  sourceFile,
  tarOf,
} from "./support.ts";

/** Make a small artifact one with a payload of each type in `types`. */
function typed(parts: Parts, ...types: (string | null)[]): void {
  parts.headerInfo = JSON.stringify({
    payloads: types.map((type) => ({ type })),
    artifact_provides: { artifact_name: "release-1" },
    artifact_depends: { device_type: ["board"] },
  });
  parts.headerEntries = [
    ["header-info", parts.headerInfo],
    ...types.map((type, index): [string, string] => [
      `headers/${String(index).padStart(4, "0")}/type-info`,
      JSON.stringify({ type }),
    ]),
  ];
}

describe("an artifact whose optional fields are null", () => {
  it("is read as if they were absent", async () => {
    const artifact = await artifactOf((parts) => {
      parts.headerInfo = JSON.stringify({
        payloads: [{ type: "single-file" }],
        artifact_provides: { artifact_name: "release-1", artifact_group: null },
        artifact_depends: { device_type: ["board"], artifact_name: null, artifact_group: null },
      });
      parts.typeInfo = JSON.stringify({
        type: "single-file",
        artifact_provides: null,
        artifact_depends: null,
        clears_artifact_provides: null,
      });
    });
    const { header } = await readBack(chunked(artifact));
    expect(header).toMatchObject({ artifactName: "release-1", deviceTypes: ["board"] });
    expect(header.payloads.map(({ typeInfo }) => typeInfo)).toEqual([{ type: "single-file" }]);
    for (const absent of ["artifactGroup", "dependsArtifactNames", "dependsArtifactGroups"]) {
      expect(header).not.toHaveProperty(absent);
    }
  });
});

describe("an artifact with several payloads", () => {
  it("is read, each payload with its own compression", async () => {
    const entries = await entriesOf((parts) => {
      typed(parts, "app", null, "config");
      parts.manifest.set("data/0002/hello.txt", sha256("second\n"));
    });
    const second = await tarOf([["hello.txt", "second\n"]]);
    const { header, files } = await readBack(chunked(await tarOf([...entries, ["data/0002.tar", second]])));
    expect(header.payloads.map(({ typeInfo }) => typeInfo.type)).toEqual(["app", null, "config"]);
    expect([...files].map(([name, content]) => [name, content.toString()])).toEqual([
      ["0/hello.txt", "hello\n"],
      ["2/hello.txt", "second\n"],
    ]);
  });

  it("is refused when one is missing, or they are in another order", async () => {
    const entries = await entriesOf((parts) => {
      typed(parts, "app", "config");
      parts.manifest.set("data/0001/hello.txt", sha256("second\n"));
    });
    expect(await refusal(await tarOf(entries))).toMatchObject({ at: "payload", code: "missing" });
    const second = await tarOf([["hello.txt", "second\n"]]);
    const swapped = [...entries.slice(0, -1), ["data/0001.tar", second] as const, ...entries.slice(-1)];
    expect(await refusal(await tarOf(swapped))).toMatchObject({ at: "header", code: "entry-order" });
  });
});

describe("an empty payload", () => {
  const empty = (parts: Parts): void => {
    typed(parts, null);
    parts.files = [];
  };

  it("may have a tar without entries, one without bytes, or none", async () => {
    for (const artifact of [
      await artifactOf(empty),
      await artifactOf((parts) => {
        empty(parts);
        parts.payloadName = "data/0000.tar";
        parts.payload = new Uint8Array(0);
      }),
      await tarOf((await entriesOf(empty)).slice(0, 3)),
    ]) {
      const { header, files } = await readBack(chunked(artifact));
      expect(header.payloads[0]?.typeInfo.type).toBeNull();
      expect(files.size).toBe(0);
    }
  });

  it("has no files, not even unlisted ones", async () => {
    const artifact = await artifactOf((parts) => {
      typed(parts, null);
      parts.manifest.set("data/0000/hello.txt", "");
    });
    expect(await refusal(artifact)).toMatchObject({ at: "payload", code: "empty-payload-with-files" });
  });
});

describe("an artifact of mender-artifact for a root file system", () => {
  it("leaves the type in type-info empty, and is read nevertheless", async () => {
    const artifact = await artifactOf((parts) => {
      typed(parts, "rootfs-image");
      parts.headerEntries = [
        ["header-info", parts.headerInfo],
        ["headers/0000/type-info", '{"type":""}'],
      ];
    });
    expect((await readBack(chunked(artifact))).header.payloads[0]?.typeInfo.type).toBe("rootfs-image");
  });
});

describe("writing", () => {
  const plan = (file: SourceFile): ArtifactPlan => ({
    kind: "module-image",
    type: "app",
    artifactName: "release-1",
    deviceTypes: ["board"],
    files: [file],
  });
  const changing = (...contents: string[]): SourceFile => {
    let read = 0;
    return {
      name: "file",
      sizeBytes: 4,
      read: () => chunked(Buffer.from(contents[read++] ?? "")),
    };
  };

  it.each([
    ["grows", changing("12345"), /its size is another/],
    ["shrinks", changing("123"), /its size is another/],
    ["changes between the first reading and the second", changing("1234", "1235"), /its content is another/],
  ])("refuses a file that %s", async (_, file, message) => {
    await expect(writeArtifact(plan(file), new MemorySink())).rejects.toThrow(message);
  });

  it.each<[string, Partial<ArtifactPlan>, string]>([
    ["no name", { artifactName: "" }, "artifactName"],
    ["no device type", { deviceTypes: [] }, "deviceTypes"],
    ["an empty device type", { deviceTypes: [""] }, "deviceTypes"],
    ["a key that is empty", { provides: { "": "x" } }, "provides"],
    ["a payload type that climbs out", { type: ".." }, "type"],
    ["a file of a name that other readers refuse", { files: [sourceFile("a b", "")] }, "files"],
    ["a script of no state", { scripts: [{ name: "Idle_Enter_00", content: new Uint8Array(0) }] }, "scripts"],
    ["meta-data that is a list", { metaDataJson: "[]" }, "metaDataJson"],
  ])("refuses a plan with %s", async (_, change, field) => {
    const wrong = { ...plan(sourceFile("file", "")), ...change } as ArtifactPlan;
    await expect(writeArtifact(wrong, new MemorySink())).rejects.toMatchObject({ name: "PlanError", field });
  });

  it("tells how far it is", async () => {
    const told: [number, number][] = [];
    const onProgress = (done: number, total: number): void => void told.push([done, total]);
    await writeArtifact(plan(sourceFile("file", "1234")), new MemorySink(), { onProgress });
    expect(told.at(-1)).toEqual([8, 8]);
  });

  it("says which compression it has not", async () => {
    const wanted: ArtifactPlan = { ...plan(sourceFile("file", "")), compression: "xz" };
    await expect(writeArtifact(wanted, new MemorySink())).rejects.toThrow(/cannot write xz/);
  });
});
