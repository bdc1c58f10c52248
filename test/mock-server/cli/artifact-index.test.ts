import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeChunkIndex } from "@upkeep/shared/artifact/adaptive";
import { expect, onTestFinished, test } from "vitest";
import { bytesOf } from "../../shared/artifact/adaptive/support.ts";
import { makeArtifact } from "../api/fixture.ts";
import { artifactTool } from "./artifact-tool.ts";

function folderWith(content: Uint8Array): { readonly folder: string; readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), "upkeep-index-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "a.mender");
  writeFileSync(path, content);
  return { folder, path };
}

test("artifact index writes the index and the chunks beside the artifact", async () => {
  const artifact = await makeArtifact({ content: Buffer.concat([bytesOf(100_000, 1), bytesOf(100_000, 1)]) });
  const { folder, path } = folderWith(artifact);
  const { out, status } = await artifactTool(["index", path, "--json"]);
  expect(status).toBe(0);
  const index = readFileSync(`${path}.index`);
  const chunks = readFileSync(`${path}.chunks`);
  expect(JSON.parse(out)).toEqual({
    index: { path: `${path}.index`, size: index.length },
    chunks: { path: `${path}.chunks`, size: chunks.length },
  });
  expect(decodeChunkIndex(index)).toMatchObject({
    artifactBytes: artifact.length,
    chunks: { storedBytes: chunks.length },
  });
  expect(chunks.length).toBeLessThan(150_000);
  expect(readdirSync(folder)).toHaveLength(3);
});

test("artifact index refuses a damaged artifact, and leaves nothing", async () => {
  const artifact = await makeArtifact({ content: bytesOf(100_000, 1) });
  artifact.fill(0xff, 50_000, 50_010);
  const { folder, path } = folderWith(artifact);
  const { error, status } = await artifactTool(["index", path]);
  expect(status).toBe(4);
  expect(error).toContain("SHA-256");
  expect(readdirSync(folder)).toEqual(["a.mender"]);
});
