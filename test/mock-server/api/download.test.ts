import { describe, expect, test } from "vitest";
import type { ServerOptions } from "../../../mock-server/index.ts";
import { DEPLOYMENTS, DEVICE_API, makeArtifact, TestServer } from "./fixture.ts";

interface Offer {
  readonly id: string;
  readonly artifact: { readonly source: { readonly uri: string; readonly expire: string } };
}

/** A server with one artifact, and a device that was told to install it. */
async function offered(options: Partial<ServerOptions> = {}, headers: Record<string, string> = {}) {
  const server = await TestServer.open({ autoAccept: true, ...options });
  const content = await makeArtifact({ content: Buffer.alloc(700_000, "abcdefg") });
  const answer = await server.upload(content);
  const id = String(answer.headers.location).split("/").at(-1) ?? "";
  const device = await server.device("1");
  await server.deployed("release-1", [device.id]);
  const next = await server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board`, {
    token: device.token,
    headers,
  });
  const offer = next.json<Offer>();
  const { uri, expire } = offer.artifact.source;
  const url = new URL(uri);
  return { server, content, id, uri, expire, path: url.pathname + url.search };
}

describe("a download link", () => {
  test("gives the artifact to whoever has it, whole", async () => {
    const { server, content, path } = await offered();
    const answer = await server.call(path);
    expect(answer.statusCode).toBe(200);
    expect(answer.rawPayload.equals(content)).toBe(true);
    expect(answer.headers).toMatchObject({
      "content-type": "application/vnd.mender-artifact",
      "content-length": String(content.length),
      "accept-ranges": "bytes",
      "content-disposition": 'attachment; filename="release-1.mender"',
      etag: expect.stringMatching(/^"[0-9a-f]{64}"$/),
    });
  });

  test("gives parts, and says which", async () => {
    const { server, content, path } = await offered();
    const part = await server.call(path, { headers: { range: "bytes=300000-" } });
    expect(part.statusCode).toBe(206);
    expect(part.rawPayload.equals(content.subarray(300_000))).toBe(true);
    const { length } = content;
    expect(part.headers["content-range"]).toBe(`bytes 300000-${length - 1}/${length}`);
    const suffix = await server.call(path, { headers: { range: "bytes=-7" } });
    expect(suffix.rawPayload.equals(content.subarray(length - 7))).toBe(true);
    const outside = await server.call(path, { headers: { range: `bytes=${length}-` } });
    expect([outside.statusCode, outside.headers["content-range"], outside.body]).toEqual([
      416,
      `bytes */${length}`,
      "",
    ]);
  });

  test("goes on only where the artifact is still the same", async () => {
    const { server, content, path } = await offered();
    const etag = String((await server.call(path, { method: "HEAD" })).headers.etag);
    const range = "bytes=10-19";
    const same = await server.call(path, { headers: { range, "if-range": etag } });
    expect([same.statusCode, same.rawPayload.length]).toEqual([206, 10]);
    const other = await server.call(path, { headers: { range, "if-range": '"other"' } });
    expect([other.statusCode, other.rawPayload.length]).toEqual([200, content.length]);
    const known = await server.call(path, { headers: { "if-none-match": etag } });
    expect([known.statusCode, known.body]).toEqual([304, ""]);
  });

  test("answers HEAD with the whole length and no body, whatever range is asked for", async () => {
    const { server, content, path } = await offered();
    const answer = await server.call(path, { method: "HEAD", headers: { range: "bytes=0-1" } });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers["content-length"]).toBe(String(content.length));
    expect(answer.body).toBe("");
  });

  test("is refused once it has expired", async () => {
    const { server, path, expire } = await offered();
    expect(Date.parse(expire)).toBe(server.system.nowMs + 24 * 3600 * 1000);
    server.system.nowMs = Date.parse(expire) - 1;
    expect((await server.call(path)).statusCode).toBe(200);
    server.system.nowMs += 1;
    const late = await server.call(path);
    expect([late.statusCode, late.json().error]).toEqual([403, "the link has expired"]);
  });

  test("is refused for another artifact, with another signature and without one", async () => {
    const { server, path, id } = await offered();
    const other = await server.uploaded({ name: "release-2" });
    const forged = await server.call(path.replace(id, other));
    expect([forged.statusCode, forged.json().error]).toEqual([403, "the link's signature is not valid"]);
    expect((await server.call(`${path}x`)).statusCode).toBe(403);
    const bare = await server.call(path.split("?")[0] ?? "");
    expect([bare.statusCode, bare.json().error]).toEqual([403, "the link is not signed"]);
  });

  test("leads nowhere once the artifact is deleted", async () => {
    const server = await TestServer.open();
    const id = await server.uploaded();
    const link = await server.manage(`${DEPLOYMENTS}/artifacts/${id}/download`);
    const { uri, expire } = link.json<{ uri: string; expire: string }>();
    expect(Date.parse(expire)).toBe(server.system.nowMs + 15 * 60 * 1000);
    const { pathname, search } = new URL(uri);
    expect((await server.call(pathname + search)).statusCode).toBe(200);
    expect((await server.manage(`${DEPLOYMENTS}/artifacts/${id}`, { method: "DELETE" })).statusCode).toBe(204);
    expect((await server.call(pathname + search)).statusCode).toBe(404);
    expect(server.blobFiles()).toEqual([]);
  });

  test.each([
    [{}, { host: "updates.example:8080" }, "http://updates.example:8080/"],
    [{}, { host: "inner", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https" }, "http://inner/"],
    [
      { isProxy: () => true },
      {
        host: "inner",
        "x-forwarded-host": "outer.example",
        "x-forwarded-proto": "https",
        "x-forwarded-prefix": "/ota",
      },
      "https://outer.example/ota/",
    ],
    [{ publicUrl: "https://public.example/base" }, { host: "inner" }, "https://public.example/base/"],
  ])("names the host that was asked: %o %o", async (options, headers, expected) => {
    const { uri } = await offered(options, headers);
    expect(uri.startsWith(`${expected}api/devices/v1/deployments/download/artifact/`)).toBe(true);
  });
});
