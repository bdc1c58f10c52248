import { execFileSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import type { Compression } from "@upkeep/shared/artifact";
import { type ArtifactPlan, type ArtifactSink, writeArtifact } from "@upkeep/shared/artifact/write";
import { describe, expect, it } from "vitest";
import { COMPRESSORS } from "../../../mock-server/releases/compression.ts";
import { chunked, MemorySink, readBack, sourceFile } from "./support.ts";

async function written(plan: ArtifactPlan): Promise<Buffer> {
  const sink = new MemorySink();
  const bytes = await writeArtifact(plan, sink, { compressors: COMPRESSORS });
  expect(bytes).toBe(sink.content.length);
  return sink.content;
}

const noise = randomFillSync(Buffer.alloc(300_000));
const text = Buffer.from("the same line over and over\n".repeat(60_000));

describe.each<Compression>(["none", "gzip", "xz", "zstd"])("an artifact with %s", (compression) => {
  it("comes back as it was written: a module image with everything", async () => {
    const artifact = await written({
      kind: "module-image",
      compression,
      type: "single-file",
      artifactName: "release-7",
      artifactGroup: "canary",
      deviceTypes: ["board-a", "board-b"],
      dependsArtifactNames: ["release-5", "release-6"],
      dependsArtifactGroups: ["canary"],
      provides: { "app.version": "7" },
      depends: { "boot.version": "2" },
      clearsProvides: ["app.*"],
      metaDataJson: '{ "mode": 420, "exact": 1.50 }',
      scripts: [{ name: "ArtifactInstall_Enter_10_stop", content: Buffer.from("#!/bin/sh\n") }],
      files: [sourceFile("noise.bin", noise), sourceFile("text", text), sourceFile("empty", "")],
    });
    for (const chunkBytes of [1000, 1024 * 1024]) {
      const { header, files } = await readBack(chunked(artifact, chunkBytes));
      expect(header).toMatchObject({
        version: 3,
        artifactName: "release-7",
        artifactGroup: "canary",
        deviceTypes: ["board-a", "board-b"],
        dependsArtifactNames: ["release-5", "release-6"],
        dependsArtifactGroups: ["canary"],
        compression,
        signature: { state: "unsigned" },
        scripts: [{ name: "ArtifactInstall_Enter_10_stop", content: new Uint8Array(Buffer.from("#!/bin/sh\n")) }],
      });
      expect(header.payloads).toEqual([
        expect.objectContaining({
          index: 0,
          metaDataJson: '{ "mode": 420, "exact": 1.50 }',
          typeInfo: {
            type: "single-file",
            provides: { "app.version": "7", "rootfs-image.single-file.version": "release-7" },
            depends: { "boot.version": "2" },
            clearsProvides: ["app.*", "rootfs-image.single-file.*"],
          },
        }),
      ]);
      expect(files.get("0/noise.bin")?.equals(noise)).toBe(true);
      expect(files.get("0/text")?.equals(text)).toBe(true);
      expect(files.get("0/empty")?.length).toBe(0);
    }
  });

  it("comes back as it was written: a root file system image", async () => {
    const artifact = await written({
      kind: "rootfs-image",
      compression,
      artifactName: "release-8",
      deviceTypes: ["board"],
      file: sourceFile("rootfs.ext4", text),
    });
    const { header, files } = await readBack(chunked(artifact));
    expect(header.payloads[0]?.typeInfo).toEqual({
      type: "rootfs-image",
      provides: {
        "rootfs-image.checksum": header.manifest.get("data/0000/rootfs.ext4"),
        "rootfs-image.version": "release-8",
      },
      clearsProvides: ["artifact_group", "rootfs_image_checksum", "rootfs-image.*"],
    });
    expect(files.get("0/rootfs.ext4")?.equals(text)).toBe(true);
  });

  it("comes back as it was written: a bootstrap artifact", async () => {
    const artifact = await written({ kind: "bootstrap", compression, artifactName: "factory", deviceTypes: ["board"] });
    const { header, files } = await readBack(chunked(artifact));
    expect(header.payloads.map((payload) => payload.typeInfo)).toEqual([{ type: null }]);
    expect(files.size).toBe(0);
  });

  it("is the same, byte for byte, each time it is written", async () => {
    const plan: ArtifactPlan = {
      kind: "module-image",
      compression,
      type: "t",
      artifactName: "a",
      deviceTypes: ["d"],
      provides: { b: "1", a: "2" },
      files: [sourceFile("noise.bin", noise)],
    };
    const first = await written(plan);
    const second = await written({ ...plan, provides: { a: "2", b: "1" } });
    expect(second.equals(first)).toBe(true);
  });
});

/** Above 100 bytes a name does not fit a tar header; above 255 it fits no file system. */
const LONG_NAMES = [101, 155, 255].map((length) => `${"n".repeat(length - 4)}.bin`);
const LONG_SCRIPT = `ArtifactInstall_Enter_10_${"s".repeat(150)}`;

it("carries files and state scripts with names of up to 255 bytes, which GNU tar reads too", async () => {
  const artifact = await written({
    kind: "module-image",
    compression: "none",
    type: "t",
    artifactName: "a",
    deviceTypes: ["d"],
    files: LONG_NAMES.map((name) => sourceFile(name, name)),
    scripts: [{ name: LONG_SCRIPT, content: Buffer.from("#!/bin/sh\n") }],
  });
  const { header, files } = await readBack(chunked(artifact));
  expect([...files].map(([name, content]) => [name, content.toString()])).toEqual(
    LONG_NAMES.map((name) => [`0/${name}`, name]),
  );
  expect(header.scripts.map(({ name }) => name)).toEqual([LONG_SCRIPT]);
  const inner = (name: string): Buffer => execFileSync("tar", ["xOf", "-", name], { input: artifact });
  const names = (tar: Buffer): string[] =>
    execFileSync("tar", ["tf", "-"], { input: tar }).toString().trim().split("\n");
  expect(names(inner("data/0000.tar"))).toEqual(LONG_NAMES);
  expect(names(inner("header.tar"))).toContain(`scripts/${LONG_SCRIPT}`);
});

it.each([
  ["is shorter than said", "too short", 100],
  ["is longer than said", "too long, far too long".repeat(50_000), 10],
])("fails with the reason if a file %s", async (_, content, sizeBytes) => {
  const file = { ...sourceFile("a", content), sizeBytes };
  const plan: ArtifactPlan = { kind: "rootfs-image", artifactName: "a", deviceTypes: ["d"], file };
  await expect(written(plan)).rejects.toThrow("a changed while it was read: its size is another");
});

it.each<Compression>(["none", "gzip"])(
  "fails with the reason if a file changes between both readings: %s",
  async (compression) => {
    let readings = 0;
    const file = {
      ...sourceFile("a", noise),
      read: () => chunked(readings++ === 0 ? noise : Buffer.alloc(noise.length)),
    };
    const plan: ArtifactPlan = { kind: "rootfs-image", compression, artifactName: "a", deviceTypes: ["d"], file };
    await expect(written(plan)).rejects.toThrow("a changed while it was read: its content is another");
  },
);

it.each<Compression>(["none", "gzip"])("stops reading when what it writes to fails: %s", async (compression) => {
  let open = 0;
  const file = {
    ...sourceFile("a", noise),
    async *read() {
      open += 1;
      try {
        yield* chunked(noise, 1000);
      } finally {
        open -= 1;
      }
    },
  };
  const sink = new MemorySink();
  let bytes = 0;
  const full: ArtifactSink = {
    write: async (data, position) => {
      bytes += data.length;
      if (bytes > 100_000) throw new Error("disk full");
      await sink.write(data, position);
    },
  };
  const plan: ArtifactPlan = { kind: "rootfs-image", compression, artifactName: "a", deviceTypes: ["d"], file };
  await expect(writeArtifact(plan, full)).rejects.toThrow("disk full");
  expect(open).toBe(0);
});
