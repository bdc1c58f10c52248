import { randomFillSync } from "node:crypto";
import type { Compression } from "@upkeep/shared/artifact";
import { type ArtifactPlan, writeArtifact } from "@upkeep/shared/artifact/write";
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
