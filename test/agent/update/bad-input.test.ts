import { generateKeyPairSync } from "node:crypto";
import type { ArtifactPlan } from "@upkeep/shared/artifact/write";
import { describe, expect, it } from "vitest";
import { artifactOf } from "../../shared/artifact/support.ts";
import { artifactBytes, sourceFile, sourceOf } from "../support/artifacts.ts";
import { MODULES, PLAN, World, type WorldOptions } from "../support/world.ts";

function keyPair() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { privateKey, publicKey: publicKey.export({ type: "spki", format: "pem" }).toString() };
}

const OURS = keyPair();
const THEIRS = keyPair();
const CONTENT = Buffer.alloc(50_000, "payload ");

interface Case extends WorldOptions {
  readonly name: string;
  /** The error's text, as the result, the log and a person get it. */
  readonly says: string | RegExp;
  /** Calls of the update module. */
  readonly calls: readonly string[];
  readonly prepare?: (world: World) => Promise<void> | void;
}

const signedBy = async ({ privateKey }: typeof OURS) => await artifactBytes(PLAN, { signingKey: privateKey });
const SIGNED_BY_THEM = await signedBy(THEIRS);
// Uncompressed: what native decompressors do takes real time, in which virtual time goes by.
const PLAIN = { headerName: "header.tar", payloadName: "data/0000.tar" };
const FORGING = await artifactOf((parts) => {
  Object.assign(parts, PLAIN);
  parts.typeInfo = JSON.stringify({ type: "single-file", artifact_provides: { app: "1\nartifact_name=forged" } });
});
const ESCAPING = await artifactOf((parts) => {
  Object.assign(parts, PLAIN);
  parts.headerInfo = parts.headerInfo.replace("release-1", "\\u001b[2Jnew");
});
const DOWNLOAD = ["ProvidePayloadFileSizes", "Download", "Cleanup"];

const CASES: readonly Case[] = [
  {
    name: "an artifact for another device type",
    plan: { deviceTypes: ["other", "another"] },
    says: 'artifact "new" is not for this device: device_type: the artifact needs one of "other", "another", the device provides "board"',
    calls: [],
  },
  {
    name: "an artifact that depends on what is not installed",
    plan: { depends: { "rootfs-image.checksum": "abc" }, dependsArtifactNames: ["older"] },
    says: 'artifact "new" does not fit what is installed: artifact_name: the artifact needs "older", the device provides "unknown"; rootfs-image.checksum: the artifact needs "abc", the device provides nothing',
    calls: [],
  },
  {
    name: "an unsigned artifact where a key is configured",
    settings: { verifyKeys: [OURS.publicKey] },
    says: "the artifact is not signed, but only signed ones are to be trusted",
    calls: [],
  },
  {
    name: "a signature by another key",
    settings: { verifyKeys: [OURS.publicKey] },
    bytes: () => SIGNED_BY_THEM,
    says: /signature/,
    calls: [],
  },
  {
    name: "an update module that is missing",
    plan: { type: "absent" },
    says: `there is no update module for payload type "absent" in ${MODULES}; installed are: recorder`,
    calls: [],
  },
  {
    name: "an update module that is not executable",
    prepare: (world) => world.files.put(`${MODULES}/recorder`, "#!", 0o644),
    says: `the update module ${MODULES}/recorder is not executable`,
    calls: [],
  },
  {
    name: "provides of several lines, which would forge others",
    bytes: () => FORGING,
    says: /type-info: artifact_provides the value of "app" must have no control characters, line breaks.*U\+000A/,
    calls: [],
  },
  {
    name: "a name with an escape sequence",
    bytes: () => ESCAPING,
    says: /^header-info: artifact_provides\.artifact_name must have no control characters.*U\+001B/,
    calls: [],
  },
  {
    name: "a truncated header",
    bytes: (bytes) => bytes.subarray(0, 1500),
    says: /ends|truncated|cut/i,
    calls: [],
  },
  {
    name: "a truncated payload",
    plan: { files: [sourceFile("payload", CONTENT)] },
    bytes: (bytes) => bytes.subarray(0, bytes.length - 20_000),
    says: /ends|truncated|cut/i,
    calls: DOWNLOAD,
  },
  {
    name: "a flipped byte in the payload",
    plan: { files: [sourceFile("payload", CONTENT)] },
    bytes: (bytes) => {
      const flipped = Buffer.from(bytes);
      const at = flipped.indexOf("payload payload ") + 25_000;
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      return flipped;
    },
    says: /data\/0000\/payload/,
    calls: DOWNLOAD,
  },
  {
    name: "a disk without room for a file",
    plan: { files: [sourceFile("payload", "x".repeat(200_000))] },
    prepare: (world) => {
      world.files.freeBytesSaid = 199_999;
    },
    says: 'no room to store payload file "payload" of 200000 bytes: 199999 bytes are free',
    calls: DOWNLOAD,
  },
  {
    name: "a disk without room for what any update takes",
    plan: { files: [sourceFile("payload", "x")] },
    prepare: (world) => {
      world.files.freeBytesSaid = 131_071;
    },
    says: "no room for an update at /data/modules/v3/payloads/0000/tree: it takes 131072 bytes, 131071 are free",
    calls: ["Cleanup"],
  },
  {
    name: "a disk that is full before it said so",
    plan: { files: [sourceFile("payload", CONTENT)] },
    prepare: (world) => {
      world.files.freeBytesSaid = 1e9;
      world.files.refuse = (path, bytes) => path.endsWith("/files/payload") && bytes > 0;
    },
    says: 'no room to store payload file "payload" of 50000 bytes: no space left on device',
    calls: DOWNLOAD,
  },
];

describe("what a device refuses", () => {
  for (const { name, says, calls, prepare, ...options } of CASES) {
    it(`is told by name, reported as a failure, and changes nothing: ${name}`, async () => {
      const world = new World(options);
      await prepare?.(world);
      const result = await world.deploy();
      expect(result).toMatchObject({ kind: "finished", status: "failure", device: "old", reported: "accepted" });
      const failure = "failure" in result ? result.failure : undefined;
      if (typeof says === "string") expect(failure).toBe(says);
      else expect(failure).toMatch(says);
      expect(world.calls).toEqual(calls);
      expect(world.statuses).toEqual(["downloading", "failure"]);
      expect(world.logs[0]?.map(({ message }) => message)).toContain(`Download: ${failure}`);
      expect(world.software).toBe("old");
      expect(world.provides).toEqual({});
      expect(world.files.below("/data").filter((path) => path.includes("tree"))).toEqual([]);
    });
  }

  it("includes provides that add up to more than a poll carries", async () => {
    const keys = (prefix: string, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, "1"]));
    const many = (name: string, prefix: string) => ({
      artifactName: name,
      provides: keys(prefix, 600),
      clearsProvides: [`${prefix}*`],
      noDefaultSoftwareVersion: true,
    });
    const world = new World({ plan: many("new", "a.") });
    expect(await world.deploy()).toMatchObject({ status: "success" });
    const next = await artifactBytes({ ...PLAN, ...many("newer", "b.") } as ArtifactPlan);
    const result = await (await world.start()).install(sourceOf(next));
    expect(result).toMatchObject({
      kind: "failed",
      failure: {
        code: "provides-too-large",
        message: expect.stringMatching(/"newer" cannot be installed.*at most 1000 keys, not 1201/),
      },
    });
    expect(world.provides.artifact_name).toBe("new");
  });

  it("does not include what one of the configured keys has signed", async () => {
    const bytes = await signedBy(OURS);
    const world = new World({
      settings: { verifyKeys: [THEIRS.publicKey, OURS.publicKey] },
      bytes: () => bytes,
    });
    await world.deploy();
    expect(world.finals).toEqual(["success"]);
  });

  it("includes everything while nothing can be written, and the server hears of it", async () => {
    const world = new World();
    world.files.refuse = (path) => path.startsWith("/data/upkeep-store");
    const result = await world.deploy();
    expect(result).toMatchObject({
      status: "failure",
      failure: "the journal cannot be written: no space left on device",
    });
    expect(world.calls).toEqual([]);
    expect(world.finals).toEqual(["failure"]);
  });

  it("does not include an update whose log cannot be written", async () => {
    const world = new World();
    world.files.refuse = (path) => path.includes("deployments.");
    await world.deploy();
    expect(world.finals).toEqual(["success"]);
    expect(world.logged).toContainEqual(expect.stringContaining("cannot be written: no space left on device"));
  });
});
