import { applyProvides } from "@upkeep/shared/compatibility";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { describe, expect, test } from "vitest";
import { type ArtifactPlan, PlanError, writeArtifact } from "../../../shared/artifact/write/index.ts";
import { artifactOf, chunked, MemorySink, readBack } from "../../shared/artifact/support.ts";
import { fc } from "../../support/fast-check.ts";
import { until } from "../../support/waiting.ts";
import { TestServer } from "./fixture.ts";

const DEVICE = { device_type: "board", artifact_name: "factory" };

async function polled(server: TestServer, token: string, provides: Readonly<Record<string, unknown>>) {
  const answer = await server.call(DEVICE_PATHS.nextV2, {
    method: "POST",
    body: { device_provides: { ...DEVICE, ...provides } },
    token,
  });
  return { status: answer.statusCode, body: answer.body };
}

/** What an artifact may not say, because the device that installs it could not tell it in a poll. */
const FAULTS: readonly [string, Readonly<Record<string, unknown>>, RegExp][] = [
  ["a value that is too long", { "app.version": "x".repeat(4097) }, /app\.version.*at most 4096 characters/],
  ["a key that is too long", { [`k${"x".repeat(1024)}`]: "1" }, /kxxx.*at most 1024 characters/],
  ["a key that is empty", { "": "1" }, /a key is empty/],
  ["a NUL in a value", { "app.version": "1\0" }, /app\.version.*U\+0000/],
  ["too many keys", Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`k${i}`, ""])), /at most 1000/],
  [
    "too much in all",
    Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, "x".repeat(4000)])),
    /at most 262144 bytes/,
  ],
];

describe("an artifact that the device could not tell of in a poll", () => {
  test.each(FAULTS)("is refused at the upload: %s", async (_, provides, message) => {
    const server = await TestServer.open();
    const artifact = await artifactOf((parts) => {
      parts.typeInfo = JSON.stringify({ type: "single-file", artifact_provides: provides });
    });
    const answer = await server.upload(artifact);
    expect([answer.statusCode, answer.json().error]).toEqual([400, expect.stringMatching(message)]);
    expect(server.blobFiles()).toEqual([]);
  });

  test.each(FAULTS)("is not written: %s", async (_, provides, message) => {
    const plan = {
      ...{ kind: "module-image", type: "app", artifactName: "release-1", deviceTypes: ["board"], files: [] },
      provides,
    } as unknown as ArtifactPlan;
    const writing = writeArtifact(plan, new MemorySink());
    await expect(writing).rejects.toMatchObject({ name: "PlanError", message: expect.stringMatching(message) });
  });
});

describe("a device that carries what no artifact may give it any more", () => {
  test.each([
    ["a value that is too long", { "app.version": "x".repeat(5000) }],
    ["an empty value, as mender-artifact writes them", { "app.version": "" }],
    ["control characters and half a character", { "app.version": "a\u001b[2J\n\ud800" }],
    ["a long name, with the mark of an inconsistent device", { artifact_name: `${"x".repeat(4096)}_INCONSISTENT` }],
  ])("is not locked out: %s", async (_, provides) => {
    const server = await TestServer.open({ autoAccept: true });
    const { id, token } = await server.device("1");
    await server.uploaded();
    await server.deployed("release-1", [id]);
    expect(await polled(server, token, provides)).toMatchObject({ status: 200 });
    // Asked again it says the same of itself.
    expect(await polled(server, token, provides)).toMatchObject({ status: 200 });
  });
});

const character = fc.oneof(
  { weight: 100, arbitrary: fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 1 }) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 1 }) },
  { weight: 1, arbitrary: fc.constantFrom("\n", "\0", "\u001b", "\u0085", "\u202e", "\ud800", "\u2028", '"', "\\") },
);
const anyText = fc.oneof(
  fc.array(character, { maxLength: 8 }).map((characters) => characters.join("")),
  fc.tuple(character, fc.integer({ min: 1, max: 4200 })).map(([unit, count]) => unit.repeat(count)),
);
const provides = fc.dictionary(anyText, anyText, { maxKeys: 5 });

test("whatever the writer and the upload accept, a device can tell in a poll", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const { token } = await server.device("1");
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(provides, anyText, fc.option(anyText, { nil: undefined }), async (given, name, group) => {
      const sink = new MemorySink();
      try {
        await writeArtifact(
          {
            kind: "bootstrap",
            compression: "none",
            artifactName: name,
            deviceTypes: ["board"],
            provides: given,
            ...(group === undefined ? {} : { artifactGroup: group }),
          },
          sink,
        );
      } catch (error) {
        if (error instanceof PlanError) return;
        throw error;
      }
      accepted += 1;
      const { header } = await readBack(chunked(sink.content));
      const answer = await server.upload(sink.content);
      // 409: the shrinking of a counter-example comes to the same artifact again.
      expect([201, 409], answer.body).toContain(answer.statusCode);
      const told = applyProvides(DEVICE, {
        artifactName: header.artifactName,
        artifactGroup: header.artifactGroup,
        provides: header.payloads[0]?.typeInfo.provides,
        clears: [],
      });
      expect(await polled(server, token, told)).toEqual({ status: 204, body: "" });
    }),
    { numRuns: 300 },
  );
  expect(accepted).toBeGreaterThan(30);
});

test("a poll that is refused stands in the log, and beside the device until it polls well", async () => {
  const server = await TestServer.open({ autoAccept: true });
  const { id, token } = await server.device("1");
  const refused = await polled(server, token, { "app.version": 5 });
  expect(refused.status).toBe(400);
  const line = server.logLines.map((text) => JSON.parse(text)).find(({ level }) => level === "warning");
  expect(line).toMatchObject({ device: id, message: expect.stringMatching(/poll.*refused.*app\.version/) });
  const noted = async () => {
    const { attributes } = (await server.manage(`/api/management/v1/inventory/devices/${id}`)).json();
    return attributes.find(({ name }: { name: string }) => name === "poll_refused");
  };
  expect(await until("the refusal is noted", noted)).toMatchObject({
    scope: "system",
    value: expect.stringMatching(/^\d{4}-.*app\.version/),
  });
  expect(await polled(server, token, {})).toMatchObject({ status: 204 });
  await until("the refusal is removed", async () => ((await noted()) === undefined ? true : undefined));
});
