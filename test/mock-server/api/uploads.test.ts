import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { writeArtifact } from "@upkeep/shared/artifact/write";
import { describe, expect, onTestFinished, test } from "vitest";
import { listen } from "../../../mock-server/system/listen.ts";
import { MemorySink } from "../../shared/artifact/support.ts";
import { until } from "../../support/waiting.ts";
import { DEPLOYMENTS, makeArtifact, multipart, TestServer } from "./fixture.ts";

const PATH = `${DEPLOYMENTS}/artifacts`;
const ID = "0082f4c4-77de-48ec-be72-af837efdca6e";

type Parts = readonly (readonly [name: string, content: string | Uint8Array])[];

async function upload(server: TestServer, parts: Parts, options?: { end: boolean }) {
  return await server.manage(PATH, { method: "POST", ...multipart(parts, options) });
}

async function expectNothingKept(server: TestServer): Promise<void> {
  expect(server.blobFiles()).toEqual([]);
  expect((await server.manage(PATH)).json()).toEqual([]);
}

describe("an upload", () => {
  test("is taken, and shown as the artifact says", async () => {
    const server = await TestServer.open();
    const artifact = await makeArtifact({ depends: { "rootfs-image.version": "1" } });
    const answer = await upload(server, [
      ["size", String(artifact.length)],
      ["unknown", "skipped"],
      ["description", "for tests"],
      ["artifact_id", ID],
      ["artifact", artifact],
      ["description", "behind the artifact, and so not looked at"],
    ]);
    expect(answer.statusCode).toBe(201);
    expect(answer.headers.location).toBe(`${PATH}/${ID}`);
    expect(answer.body).toBe("");
    expect(server.blobFiles()).toEqual([ID]);
    expect((await server.manage(`${PATH}/${ID}`)).json()).toEqual({
      id: ID,
      name: "release-1",
      description: "for tests",
      device_types_compatible: ["board"],
      info: { format: "mender", version: 3 },
      signed: false,
      updates: [
        {
          type_info: { type: "single-file" },
          files: [
            {
              name: "app.conf",
              checksum: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
              size: 6,
              date: expect.any(String),
            },
          ],
        },
      ],
      artifact_provides: { artifact_name: "release-1", "rootfs-image.single-file.version": "release-1" },
      artifact_depends: { device_type: ["board"], "rootfs-image.version": "1" },
      clears_artifact_provides: ["rootfs-image.single-file.*"],
      size: artifact.length,
      modified: new Date(server.system.nowMs).toISOString(),
    });
  });

  test("beside another with the same name and depends is 409, and says which is in the way", async () => {
    const server = await TestServer.open();
    const first = await server.uploaded();
    const answer = await server.upload(await makeArtifact({ content: "other content" }));
    expect(answer.statusCode).toBe(409);
    expect(answer.json()).toEqual({
      error: "an artifact with the same name and depends already exists",
      metadata: { conflict: expect.objectContaining({ artifact_id: first, artifact_name: "release-1" }) },
      request_id: expect.any(String),
    });
    expect(server.blobFiles()).toEqual([first]);
    await server.uploaded({ deviceType: "other-board" });
    await server.uploaded({ depends: { version: "2" } });
    expect(server.blobFiles()).toHaveLength(3);
  });

  test("under an id that is taken is 409, and the first one stays whole", async () => {
    const server = await TestServer.open();
    const artifact = await makeArtifact();
    await server.upload(artifact, { artifact_id: ID });
    const answer = await server.upload(await makeArtifact({ name: "release-2" }), { artifact_id: ID });
    expect([answer.statusCode, answer.json().error]).toEqual([409, `an artifact with the id ${ID} already exists`]);
    expect(server.blobFiles()).toEqual([ID]);
    expect((await server.manage(`${PATH}/${ID}`)).json().name).toBe("release-1");
  });

  test("of an empty artifact is taken: no files, no payload type", async () => {
    const server = await TestServer.open();
    const plan = { kind: "bootstrap", artifactName: "factory", deviceTypes: ["board"], provides: { a: "1" } } as const;
    const sink = new MemorySink();
    await writeArtifact(plan, sink);
    expect((await server.upload(sink.content)).statusCode).toBe(201);
    const [shown] = (await server.manage(PATH)).json();
    expect(shown.updates).toEqual([{ type_info: { type: null }, files: null }]);
  });
});

describe("nothing is kept of an upload", () => {
  test.each([0, 1, 600, 2000, 3000])("that breaks off %i bytes before its end", async (missing) => {
    const server = await TestServer.open();
    const artifact = await makeArtifact({ content: Buffer.alloc(2000, "x") });
    const cut = artifact.subarray(0, artifact.length - missing);
    const answer = await upload(server, [["artifact", cut]], { end: false });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error).toContain('the multipart body ends early, in part "artifact"');
    await expectNothingKept(server);
  });

  test("that ends as it should and holds half an artifact", async () => {
    const server = await TestServer.open();
    const artifact = await makeArtifact({ content: Buffer.alloc(2000, "x") });
    const answer = await server.upload(artifact.subarray(0, artifact.length - 2600));
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({
      error: expect.stringMatching(/^reading artifact error: /),
      metadata: { fault: "truncated" },
    });
    await expectNothingKept(server);
  });

  test("with one bit of its payload changed", async () => {
    const server = await TestServer.open();
    const damaged = await makeArtifact({ content: Buffer.alloc(5000, "A") });
    const at = damaged.indexOf(Buffer.alloc(100, "A"));
    damaged[at + 50] = 0x42;
    const answer = await server.upload(damaged);
    expect([answer.statusCode, answer.json().metadata]).toEqual([400, { fault: "checksum-mismatch" }]);
    await expectNothingKept(server);
  });

  test.each([
    [1, "bytes were announced, and more came"],
    [-1, "came"],
  ])("whose size is not as announced (by %i)", async (less, message) => {
    const server = await TestServer.open();
    const artifact = await makeArtifact();
    const answer = await server.upload(artifact, { size: String(artifact.length - less) });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error).toMatch(/^size: \d+ bytes were announced/);
    expect(answer.json().error).toContain(message);
    await expectNothingKept(server);
  });

  test("that announces more than is ever taken", async () => {
    const server = await TestServer.open();
    const answer = await server.upload(await makeArtifact(), { size: String(10 * 1024 ** 3 + 1) });
    expect([answer.statusCode, answer.json().error]).toEqual([413, "Artifact file too large"]);
    await expectNothingKept(server);
  });

  test("that is no artifact", async () => {
    const server = await TestServer.open();
    const answer = await server.upload(Buffer.from("not an artifact at all"));
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error).toMatch(/^reading artifact error: /);
    await expectNothingKept(server);
  });

  test("without an artifact", async () => {
    const server = await TestServer.open();
    const answer = await upload(server, [["description", "lonely"]]);
    expect([answer.statusCode, answer.json().error]).toEqual([400, "request does not contain the artifact file"]);
    await expectNothingKept(server);
  });

  test.each([
    ["size", "12a", 'size: must be a whole number of bytes (got "12a")'],
    ["size", "-1", 'size: must be a whole number of bytes (got "-1")'],
    ["size", "9".repeat(20), "size: must be a whole number of bytes"],
    ["artifact_id", "../../etc/passwd", 'artifact_id: ID is not a valid UUID (got "../../etc/passwd")'],
    ["description", "d".repeat(4097), "description: must have at most 4096 characters, not 4097"],
  ])("with the field %s wrong (%#)", async (name, value, message) => {
    const server = await TestServer.open();
    const answer = await server.upload(await makeArtifact(), { [name]: value });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error).toContain(message);
    await expectNothingKept(server);
  });

  test("that is not multipart", async () => {
    const server = await TestServer.open();
    const answer = await server.manage(PATH, {
      method: "POST",
      body: await makeArtifact(),
      headers: { "content-type": "application/octet-stream" },
    });
    expect(answer.statusCode).toBe(415);
    await expectNothingKept(server);
  });

  test("of somebody who is not logged in", async () => {
    const server = await TestServer.open();
    const body = multipart([["artifact", await makeArtifact()]]);
    expect((await server.call(PATH, { method: "POST", ...body })).statusCode).toBe(401);
    await expectNothingKept(server);
  });
});

describe("over a real connection", () => {
  async function connected(server: TestServer) {
    const listening = await listen(server.app.routing, { host: "127.0.0.1", port: 0 });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(async () => {
      agent.destroy();
      await listening.close(0);
    });
    const send = (method: string, headers: Record<string, string> = {}) =>
      request({
        ...{ host: "127.0.0.1", port: listening.port, agent, method, path: PATH },
        headers: { authorization: `Bearer ${server.userToken}`, ...headers },
      });
    return send;
  }

  test("an upload that is refused early is read to its end, and the connection goes on", async () => {
    const server = await TestServer.open();
    const send = await connected(server);
    const { body, headers } = multipart([
      ["artifact", Buffer.alloc(16 * 1024 * 1024, "no artifact ")],
      ["behind", Buffer.alloc(1024 * 1024)],
    ]);
    const upload = send("POST", headers);
    const answered = once(upload, "response");
    // Resolves when all of it was sent, although the answer came long before.
    await new Promise<void>((resolve) => upload.end(body, resolve));
    const [answer] = (await answered) as [IncomingMessage];
    expect(answer.statusCode).toBe(400);
    answer.resume();
    await once(answer, "end");
    const list = send("GET");
    list.end();
    const [listed] = (await once(list, "response")) as [IncomingMessage];
    expect(listed.statusCode).toBe(200);
    expect(list.reusedSocket).toBe(true);
    listed.resume();
  });

  test("a client that goes away in the middle leaves nothing, and no fault of the server is logged", async () => {
    const server = await TestServer.open();
    const send = await connected(server);
    const { body, headers } = multipart([["artifact", await makeArtifact({ content: Buffer.alloc(500_000, "z") })]]);
    const upload = send("POST", headers);
    const broken = once(upload, "error");
    upload.write(body.subarray(0, 200_000));
    await until("it arrives", () => server.blobFiles().length > 0 || undefined);
    upload.destroy(new Error("gone"));
    await broken;
    await until("it is cleared away", () => server.blobFiles().length === 0 || undefined);
    await until("it is logged", () => server.logLines.some((line) => line.includes("broken off")) || undefined);
    expect(server.logLines.filter((line) => JSON.parse(line).level === "error")).toEqual([]);
  });
});
