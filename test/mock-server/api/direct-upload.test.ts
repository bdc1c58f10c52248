import { describe, expect, test } from "vitest";
import { DEPLOYMENTS, makeArtifact, TestServer } from "./fixture.ts";

const ARTIFACTS = `${DEPLOYMENTS}/artifacts`;
const PATH = `${ARTIFACTS}/directupload`;
const HOUR_MS = 3_600_000;

interface Link {
  readonly id: string;
  readonly uri: string;
  readonly expire: string;
  readonly method: string;
  readonly header: Readonly<Record<string, string>>;
}

async function begun(server: TestServer): Promise<Link & { readonly path: string }> {
  const answer = await server.manage(PATH, { method: "POST" });
  expect(answer.statusCode).toBe(200);
  const link: Link = answer.json();
  return { ...link, path: link.uri.replace(/^https?:\/\/[^/]+/, "") };
}

const complete = (server: TestServer, id: string, body?: unknown) =>
  server.manage(`${PATH}/${id}/complete`, { method: "POST", body });

describe("a direct upload", () => {
  test("is an artifact once it is complete, and not before", async () => {
    const server = await TestServer.open();
    const link = await begun(server);
    expect(link).toMatchObject({
      method: "PUT",
      header: {},
      expire: new Date(server.system.nowMs + HOUR_MS).toISOString(),
    });
    const content = await makeArtifact();
    // Whoever has the link needs no token.
    expect((await server.call(link.path, { method: "PUT", body: content })).statusCode).toBe(200);
    expect((await server.manage(ARTIFACTS)).json()).toEqual([]);
    const answer = await complete(server, link.id, { size: content.length, updates: [{ files: [] }] });
    expect([answer.statusCode, answer.body]).toEqual([202, ""]);
    expect((await server.manage(`${ARTIFACTS}/${link.id}`)).json()).toMatchObject({
      id: link.id,
      name: "release-1",
      size: content.length,
    });
    expect(server.blobFiles()).toEqual([link.id]);
    const { uri } = (await server.manage(`${ARTIFACTS}/${link.id}/download`)).json() as { uri: string };
    const download = await server.call(uri.replace(/^https?:\/\/[^/]+/, ""));
    expect(download.rawPayload.equals(content)).toBe(true);
  });

  test("may be said to be complete twice: the first answer may have been lost", async () => {
    const server = await TestServer.open();
    const link = await begun(server);
    await server.call(link.path, { method: "PUT", body: await makeArtifact() });
    expect((await complete(server, link.id)).statusCode).toBe(202);
    expect((await complete(server, link.id)).statusCode).toBe(202);
  });

  test("that never came is 404", async () => {
    const server = await TestServer.open();
    const { id } = await begun(server);
    expect((await complete(server, id)).statusCode).toBe(404);
    expect((await complete(server, "no-uuid")).statusCode).toBe(400);
  });

  test("may be sent again until it is complete; what came last counts, and nothing that comes later", async () => {
    const server = await TestServer.open();
    const link = await begun(server);
    await server.call(link.path, { method: "PUT", body: await makeArtifact({ name: "first" }) });
    await server.call(link.path, { method: "PUT", body: await makeArtifact({ name: "second" }) });
    await complete(server, link.id);
    await server.call(link.path, { method: "PUT", body: await makeArtifact({ name: "third" }) });
    expect((await server.manage(`${ARTIFACTS}/${link.id}`)).json()).toMatchObject({ name: "second" });
    const { uri } = (await server.manage(`${ARTIFACTS}/${link.id}/download`)).json() as { uri: string };
    const { rawPayload } = await server.call(uri.replace(/^https?:\/\/[^/]+/, ""));
    expect(rawPayload.equals(await makeArtifact({ name: "second" }))).toBe(true);
  });

  test.each([
    ["is no artifact", async () => Buffer.from("nonsense"), undefined, 400, "reading artifact error"],
    ["is empty", async () => Buffer.alloc(0), undefined, 400, "reading artifact error"],
    ["is cut short", async () => (await makeArtifact()).subarray(0, 3000), undefined, 400, "reading artifact error"],
    ["is not as long as was said", () => makeArtifact(), { size: 17 }, 400, "size: 17 bytes were announced"],
  ])("that %s is refused, and nothing of it is kept", async (_, content, body, status, message) => {
    const server = await TestServer.open();
    const link = await begun(server);
    await server.call(link.path, { method: "PUT", body: await content() });
    const answer = await complete(server, link.id, body);
    expect(answer.statusCode).toBe(status);
    expect(answer.json().error).toContain(message);
    expect(server.blobFiles()).toEqual([]);
    expect((await complete(server, link.id)).statusCode).toBe(404);
  });

  test("beside another with the same name and depends is 409, and leaves that one alone", async () => {
    const server = await TestServer.open();
    const first = await server.uploaded();
    const link = await begun(server);
    await server.call(link.path, { method: "PUT", body: await makeArtifact({ content: "other\n" }) });
    const answer = await complete(server, link.id);
    expect(answer.statusCode).toBe(409);
    expect(answer.json().metadata.conflict.artifact_id).toBe(first);
    expect(server.blobFiles()).toEqual([first]);
  });

  test("needs its own link: signed, for writing, in time", async () => {
    const server = await TestServer.open();
    const link = await begun(server);
    const other = await begun(server);
    const put = async (path: string) => (await server.call(path, { method: "PUT", body: "x" })).statusCode;
    const [path = "", query = ""] = link.path.split("?");
    expect(await put(path)).toBe(403);
    expect(await put(`${other.path.split("?")[0]}?${query}`)).toBe(403);
    expect(await put(link.path.replace(/.$/, (last) => (last === "A" ? "B" : "A")))).toBe(403);
    // A link to read is none to write.
    const artifact = await server.uploaded();
    const { uri } = (await server.manage(`${ARTIFACTS}/${artifact}/download`)).json() as { uri: string };
    expect(await put(`${PATH}/${artifact}?${uri.split("?")[1]}`)).toBe(403);
    server.system.nowMs += HOUR_MS - 1;
    expect(await put(link.path)).toBe(200);
    server.system.nowMs += 1;
    expect(await put(link.path)).toBe(403);
    // It says nothing secret in the log.
    const signature = new URLSearchParams(query).get("x-men-signature") ?? "";
    expect(signature).toHaveLength(43);
    expect(server.logLines.join("")).not.toContain(signature);
  });

  test("is for whoever may upload: a CI user may, a reader may not", async () => {
    const server = await TestServer.open();
    for (const [role, status] of [
      ["ci-upload", 200],
      ["read-only", 403],
    ] as const) {
      const email = `${status}@example.com`;
      const made = await server.manage("/api/management/v1/useradm/users", {
        method: "POST",
        body: { email, password: "a long password", role },
      });
      expect(made.statusCode).toBe(201);
      const token = await server.domain.users.login(email, "a long password");
      expect((await server.call(PATH, { method: "POST", token })).statusCode).toBe(status);
      const { id } = await begun(server);
      const completed = await server.call(`${PATH}/${id}/complete`, { method: "POST", token });
      expect(completed.statusCode).toBe(status === 200 ? 404 : 403);
    }
  });
});

test("what the artifacts take is told, in bytes", async () => {
  const server = await TestServer.open();
  const usage = async () => (await server.manage(`${DEPLOYMENTS}/limits/storage`)).json();
  expect(await usage()).toEqual({ limit: 0, usage: 0 });
  const content = await makeArtifact();
  const id = await server.uploaded();
  expect(await usage()).toEqual({ limit: 0, usage: content.length });
  await server.manage(`${ARTIFACTS}/${id}`, { method: "DELETE" });
  expect(await usage()).toEqual({ limit: 0, usage: 0 });
});
