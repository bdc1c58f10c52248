import { createHash } from "node:crypto";
import { decodeChunkIndex } from "@upkeep/shared/artifact/adaptive";
import { DeploymentInstructions } from "@upkeep/shared/protocol";
import { describe, expect, test } from "vitest";
import { compressHere, compressInThreads } from "../../../mock-server/releases/adaptive/chunk-compression.ts";
import { NodeWorkers } from "../../../mock-server/system/workers.ts";
import { bytesOf, rebuilt } from "../../shared/artifact/adaptive/support.ts";
import { DEPLOYMENTS, DEVICE_API, makeArtifact, TestServer } from "./fixture.ts";

const CONTENT = Buffer.concat([bytesOf(150_000, 1), Buffer.alloc(60_000), bytesOf(150_000, 1)]);
const ADAPTIVE = { "x-upkeep-adaptive": "1" };

/** A server with an artifact of {@link CONTENT} that is indexed, and a device that is to install it. */
async function indexed(compression = compressHere()) {
  const server = await TestServer.open({ autoAccept: true, adaptive: { compression } });
  const content = await makeArtifact({ content: CONTENT });
  const answer = await server.upload(content);
  const id = String(answer.headers.location).split("/").at(-1) ?? "";
  await server.indexed();
  const device = await server.device("1");
  const deployment = await server.deployed("release-1", [device.id]);
  const poll = async (headers: Record<string, string> = ADAPTIVE) => {
    const url = `${DEVICE_API}/next?artifact_name=factory&device_type=board`;
    const next = await server.call(url, { token: device.token, headers });
    return DeploymentInstructions.parse(next.json());
  };
  const report = (body: object) =>
    server.call(`${DEVICE_API}/${deployment}/status`, { method: "PUT", token: device.token, body });
  const get = (uri: string, headers: Record<string, string> = {}) => {
    const url = new URL(uri);
    return server.call(url.pathname + url.search, { headers });
  };
  return { server, content, id, deployment, device, poll, report, get };
}

describe("an indexed artifact", () => {
  test("is offered to devices that can: the prefix, the index and ranges of chunks give the artifact's files", async () => {
    const { content, poll, get } = await indexed();
    const { adaptive, source } = (await poll()).artifact;
    expect(adaptive).toMatchObject({ artifact_size: content.length, expire: source.expire });
    if (adaptive === undefined) return;
    const bytes = (await get(adaptive.index.uri)).rawPayload;
    expect(bytes.length).toBe(adaptive.index.size);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(adaptive.index.sha256);
    const index = decodeChunkIndex(bytes);
    expect(index).toMatchObject({ artifactBytes: content.length, chunks: { storedBytes: adaptive.chunks.size } });

    const rest = await rebuilt(index, async (start, end) => {
      const answer = await get(adaptive.chunks.uri, { range: `bytes=${start}-${end - 1}` });
      expect(answer.statusCode).toBe(206);
      expect(answer.headers["content-range"]).toBe(`bytes ${start}-${end - 1}/${adaptive.chunks.size}`);
      return answer.rawPayload;
    });
    const flattened = Buffer.concat([content.subarray(0, index.prefixBytes), rest]);
    // The artifact is not compressed, so that its flattened form differs in nothing but the header of the payload's tar.
    expect(flattened.length).toBe(content.length);
    const behind = index.prefixBytes + 512;
    expect(flattened.subarray(behind).equals(content.subarray(behind))).toBe(true);
    // The repeated half is stored once.
    expect(adaptive.chunks.size).toBeLessThan(CONTENT.length / 2);
  });

  test("is not offered to a device that does not ask for it", async () => {
    const { poll } = await indexed();
    const instructions = await poll({});
    expect(instructions.artifact.adaptive).toBeUndefined();
    expect(instructions.artifact.source.uri).toContain("/download/artifact/");
  });

  test("has links that are signed: not those of another part, or of another artifact", async () => {
    const { poll, get, id, server } = await indexed();
    const { adaptive } = (await poll()).artifact;
    const uri = adaptive?.index.uri ?? "";
    expect((await get(uri.replace("/index?", "/chunks?"))).statusCode).toBe(403);
    expect((await get(uri.replace(/\?.*/, ""))).statusCode).toBe(403);
    expect((await get(uri.replace("/index?", "/other?"))).statusCode).toBe(400);
    server.system.nowMs += 25 * 3_600_000;
    expect((await get(uri)).statusCode).toBe(403);
    expect(uri).toContain(id);
  });

  test("shows its state and what it costs in storage, and takes its blobs with it", async () => {
    const { server, content } = await indexed();
    const [other] = [await server.uploaded({ name: "release-2", content: CONTENT })];
    await server.indexed();
    const shown = (await server.manage(`${DEPLOYMENTS}/artifacts/${other}`)).json();
    expect(shown.adaptive).toEqual({
      state: "ready",
      index_size: expect.any(Number),
      chunks_size: expect.any(Number),
    });
    const [listed] = (await server.manage(`${DEPLOYMENTS}/artifacts`)).json();
    expect(listed.adaptive.state).toBe("ready");
    const usage = async (): Promise<number> => (await server.manage(`${DEPLOYMENTS}/limits/storage`)).json().usage;
    const { index_size, chunks_size } = shown.adaptive;
    expect(await usage()).toBe(2 * (content.length + index_size + chunks_size));
    const metrics = (await server.manage("/metrics")).body;
    expect(metrics).toContain("upkeep_artifacts_not_indexed 0");
    expect(metrics).toContain(`upkeep_artifact_index_bytes ${2 * (index_size + chunks_size)}`);
    expect(server.blobFiles()).toHaveLength(6);
    await server.manage(`${DEPLOYMENTS}/artifacts/${other}`, { method: "DELETE" });
    expect(server.blobFiles()).toHaveLength(3);
  });

  test("takes its blobs with it when its release is deleted", async () => {
    const { server } = await indexed();
    await server.uploaded({ name: "release-2", content: CONTENT });
    await server.indexed();
    const url = "/api/management/v2/deployments/deployments/releases?name=release-2";
    expect((await server.manage(url, { method: "DELETE" })).statusCode).toBe(204);
    expect(server.blobFiles()).toHaveLength(3);
  });

  test("is made by threads too", async () => {
    const threads = compressInThreads(new NodeWorkers(), 2);
    const { server, poll } = await indexed(threads);
    expect((await poll()).artifact.adaptive).toBeDefined();
    expect(server.logLines.join("")).toContain("ready for adaptive downloads");
  });
});

test("an artifact that is too small for it says so, and a server without it says nothing", async () => {
  const server = await TestServer.open({ adaptive: { compression: compressHere() } });
  const id = await server.uploaded();
  await server.indexed();
  const shown = (await server.manage(`${DEPLOYMENTS}/artifacts/${id}`)).json();
  expect(shown.adaptive).toEqual({ state: "none", reason: "its files have less than 64 KiB" });
  expect(server.blobFiles()).toHaveLength(1);

  const without = await TestServer.open();
  const other = await without.uploaded({ content: CONTENT });
  await without.indexed();
  expect((await without.manage(`${DEPLOYMENTS}/artifacts/${other}`)).json()).not.toHaveProperty("adaptive");
  expect(without.blobFiles()).toHaveLength(1);
});

test("while an artifact is being indexed, its upload is over and no offer is made", async () => {
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const compression = {
    compress: async (content: Uint8Array) => {
      begin();
      await released;
      return content;
    },
    close: () => Promise.resolve(),
  };
  const server = await TestServer.open({ autoAccept: true, adaptive: { compression } });
  const id = await server.uploaded({ content: CONTENT });
  await begun;
  const shown = (await server.manage(`${DEPLOYMENTS}/artifacts/${id}`)).json();
  expect(shown.adaptive).toEqual({ state: "indexing", percent: expect.any(Number) });
  const device = await server.device("1");
  await server.deployed("release-1", [device.id]);
  const url = `${DEVICE_API}/next?artifact_name=factory&device_type=board`;
  const next = await server.call(url, { token: device.token, headers: ADAPTIVE });
  expect(next.json().artifact).not.toHaveProperty("adaptive");
  release();
  await server.indexed();
  const again = await server.call(url, { token: device.token, headers: ADAPTIVE });
  expect(again.json().artifact).toHaveProperty("adaptive");
});

describe("what a download cost", () => {
  const download = { needed: 400_000, reused: 300_000, fetched: 90_000 };

  test("is kept from the report, shown for the device, and summed for the deployment", async () => {
    const { server, deployment, poll, report } = await indexed();
    await poll();
    await report({ status: "installing", adaptive: { ...download, fetched: 80_000 } });
    expect((await report({ status: "success", adaptive: download })).statusCode).toBe(204);
    const [device] = (await server.manage(`${DEPLOYMENTS}/deployments/${deployment}/devices`)).json();
    expect(device.download).toEqual(download);
    const shown = (await server.manage(`${DEPLOYMENTS}/deployments/${deployment}`)).json();
    expect(shown.statistics.downloads).toEqual({ devices: 1, ...download });
  });

  test("names the reason of a plain download", async () => {
    const { server, deployment, poll, report } = await indexed();
    await poll();
    await report({
      status: "success",
      adaptive: { needed: 400_000, reused: 0, fetched: 400_500, plain: "does-not-pay" },
    });
    const [device] = (await server.manage(`${DEPLOYMENTS}/deployments/${deployment}/devices`)).json();
    expect(device.download).toMatchObject({ plain: "does-not-pay" });
  });

  test("that cannot be understood is ignored: the status counts", async () => {
    const { server, deployment, poll, report } = await indexed();
    await poll();
    const wrong = { status: "success", adaptive: { needed: -1, plain: "tired" } };
    expect((await report(wrong)).statusCode).toBe(204);
    const [device] = (await server.manage(`${DEPLOYMENTS}/deployments/${deployment}/devices`)).json();
    expect(device).toMatchObject({ status: "success" });
    expect(device).not.toHaveProperty("download");
  });
});
