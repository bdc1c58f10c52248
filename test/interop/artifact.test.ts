import { execFileSync } from "node:child_process";
import { generateKeyPairSync, randomFillSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Compression, ReadOptions } from "@upkeep/shared/artifact";
import { type ArtifactPlan, loadSigningKey, type SourceFile, writeArtifact } from "@upkeep/shared/artifact/write";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMPRESSORS } from "../../mock-server/releases/compression.ts";
import { chunked, MemorySink, type ReadBack, readBack, sourceFile } from "../shared/artifact/support.ts";
import { describePeer, requirePeer } from "./peers.ts";
import { makeSingleFileArtifact } from "./single-file.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-artifacts-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const noise = randomFillSync(Buffer.alloc(200_000));
const text = Buffer.from("the same line over and over\n".repeat(20_000));

/** Keys as mender-artifact reads them: RSA in PKCS#1, ECDSA in SEC 1. */
const KEYS = {
  rsa: generateKeyPairSync("rsa", {
    modulusLength: 3072,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
  }),
  ecdsa: generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "sec1", format: "pem" },
  }),
};

function put(name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function peer(...args: string[]): string {
  return execFileSync(requirePeer("mender-artifact"), args, { encoding: "utf8", stdio: "pipe", cwd: folder });
}

async function ours(name: string, plan: ArtifactPlan, key?: string): Promise<string> {
  const sink = new MemorySink();
  await writeArtifact(plan, sink, {
    compressors: COMPRESSORS,
    ...(key === undefined ? {} : { signingKey: loadSigningKey(key) }),
  });
  return put(name, sink.content);
}

function readByUs(path: string, options?: ReadOptions): Promise<ReadBack> {
  return readBack(chunked(readFileSync(path)), options);
}

const common = { artifactName: "release-1", deviceTypes: ["board", "board-2"] } as const;

const PLANS: Record<string, (compression: Compression) => ArtifactPlan> = {
  "a module image": (compression) => ({
    ...common,
    kind: "module-image",
    compression,
    type: "app",
    artifactGroup: "canary",
    dependsArtifactNames: ["release-0"],
    dependsArtifactGroups: ["canary"],
    provides: { "app.flavour": "sweet" },
    depends: { "boot.version": "2" },
    clearsProvides: ["app.*"],
    metaDataJson: '{"a":{"b":[1,2]}}',
    scripts: [{ name: "ArtifactInstall_Enter_10_stop", content: Buffer.from("#!/bin/sh\n") }],
    files: [sourceFile("noise.bin", noise), sourceFile("text", text)],
  }),
  "a module image without files": (compression) => ({
    ...common,
    kind: "module-image",
    compression,
    type: "app",
    files: [],
  }),
  "a rootfs image": (compression) => ({
    ...common,
    kind: "rootfs-image",
    compression,
    file: sourceFile("rootfs.ext4", text),
  }),
  "a bootstrap artifact": (compression) => ({ ...common, kind: "bootstrap", compression }),
};

describePeer(["mender-artifact"], "the real mender-artifact", () => {
  describe.each(Object.keys(PLANS))("accepts what we write: %s", (kind) => {
    it.each<Compression>(["none", "gzip", "xz"])("with %s", async (compression) => {
      const path = await ours("ours.mender", PLANS[kind]?.(compression) ?? { ...common, kind: "bootstrap" });
      expect(peer("validate", path)).toContain("validated successfully");
      const told = peer("read", path);
      expect(told).toContain("Name: release-1");
      expect(told).toContain("Compatible devices: '[board board-2]'");
    });
  });

  it("reads of our module image what we meant", async () => {
    const told = peer(
      "read",
      await ours("ours.mender", PLANS["a module image"]?.("gzip") ?? { ...common, kind: "bootstrap" }),
    );
    for (const line of [
      "Provides group: canary",
      "Depends on one of artifact(s): [release-0]",
      "Depends on one of group(s): [canary]",
      "ArtifactInstall_Enter_10_stop",
      "app.flavour: sweet",
      "rootfs-image.app.version: release-1",
      "boot.version: 2",
      'Clears Provides: ["app.*", "rootfs-image.app.*"]',
      `size:     ${noise.length}`,
    ]) {
      expect(told).toContain(line);
    }
  });

  it("reads names of up to 255 bytes, which do not fit a tar header", async () => {
    const names = [101, 255].map((length) => "n".repeat(length));
    const script = `ArtifactInstall_Enter_10_${"s".repeat(150)}`;
    const path = await ours("long-names.mender", {
      ...common,
      kind: "module-image",
      type: "app",
      files: names.map((name) => sourceFile(name, noise)),
      scripts: [{ name: script, content: Buffer.from("#!/bin/sh\n") }],
    });
    expect(peer("validate", path)).toContain("validated successfully");
    const told = peer("read", path);
    for (const name of [...names, script]) expect(told).toContain(name);
  });

  describe.each(["rsa", "ecdsa"] as const)("and signatures with %s", (kind) => {
    const { publicKey, privateKey } = KEYS[kind];
    const other = KEYS[kind === "rsa" ? "ecdsa" : "rsa"];

    it("of ours are verified by it", async () => {
      const plan = PLANS["a module image"]?.("gzip") ?? { ...common, kind: "bootstrap" };
      const path = await ours("signed.mender", plan, privateKey);
      expect(peer("validate", "-k", put("public.pem", publicKey), path)).toContain("validated successfully");
      expect(peer("read", "-k", put("public.pem", publicKey), path)).toContain("signed and verified correctly");
      expect(() => peer("validate", "-k", put("other.pem", other.publicKey), path)).toThrow();
    });

    it("of its own are verified by us", async () => {
      const path = join(folder, "theirs.mender");
      const key = put("private.pem", privateKey);
      peer(
        "write",
        "module-image",
        "-t",
        "board",
        "-n",
        "r",
        "-T",
        "app",
        "-f",
        put("text", text),
        "-k",
        key,
        "-o",
        path,
      );
      const verifyKeys = [other.publicKey, publicKey];
      expect((await readByUs(path, { verifyKeys })).header.signature).toEqual({ state: "verified", key: 1 });
      expect((await readByUs(path)).header.signature).toEqual({ state: "unchecked" });
      await expect(readByUs(path, { verifyKeys: [other.publicKey] })).rejects.toMatchObject({
        code: "signature-mismatch",
      });
    });
  });

  describe("writes what we read", () => {
    it.each(["none", "gzip", "lzma"])("with %s", async (compression) => {
      const path = join(folder, "theirs.mender");
      const script = put("ArtifactInstall_Enter_10_stop", "#!/bin/sh\nexit 0\n");
      peer(
        ...["write", "module-image", "-t", "board", "-n", "release-2", "-T", "app", "-f", put("noise.bin", noise)],
        ...["-f", put("text", text), "-m", put("meta.json", '{"a":1}'), "-s", script, "-o", path],
        ...["--compression", compression],
      );
      const { header, files } = await readByUs(path);
      expect(header).toMatchObject({
        artifactName: "release-2",
        compression: compression === "lzma" ? "xz" : compression,
      });
      expect(header.scripts.map(({ name }) => name)).toEqual(["ArtifactInstall_Enter_10_stop"]);
      expect(header.payloads[0]?.metaDataJson).toBe('{"a":1}');
      expect(files.get("0/noise.bin")?.equals(noise)).toBe(true);
      expect(files.get("0/text")?.equals(text)).toBe(true);
    });

    it("for the update module single-file", async () => {
      const options = {
        folder,
        artifactName: "single",
        deviceType: "board",
        destination: "/opt",
        fileName: "greeting",
        content: "hi\n",
      };
      const { header, files } = await readByUs(makeSingleFileArtifact(options));
      expect(header.payloads[0]?.typeInfo.type).toBe("single-file");
      expect(files.get("0/dest_dir")?.toString()).toBe("/opt\n");
      expect(files.get("0/greeting")?.toString()).toBe("hi\n");
    });

    it.each(["directory", "script", "deb"])("for the update module %s", async (type) => {
      const path = join(folder, `${type}.mender`);
      peer("write", "module-image", "-t", "board", "-n", type, "-T", type, "-f", put("update.tar", text), "-o", path);
      const { header, files } = await readByUs(path);
      expect(header.payloads[0]?.typeInfo.type).toBe(type);
      expect(files.get("0/update.tar")?.equals(text)).toBe(true);
    });

    it("but not augmented artifacts, which are refused by name", async () => {
      const path = join(folder, "augmented.mender");
      peer(
        ...["write", "module-image", "-t", "board", "-n", "r", "-T", "app", "-f", put("text", text)],
        ...["--augment-type", "app", "--augment-file", put("noise.bin", noise), "-o", path],
      );
      await expect(readByUs(path)).rejects.toMatchObject({ code: "augmented-unsupported" });
    });
  });

  describe("chooses the defaults that we choose", () => {
    const file: SourceFile = sourceFile("image", text);
    const module = {
      kind: "module-image",
      artifactName: "rel",
      deviceTypes: ["d"],
      type: "app",
      files: [],
      compression: "none",
    } as const;
    const rootfs = {
      kind: "rootfs-image",
      artifactName: "rel",
      deviceTypes: ["d"],
      file,
      compression: "none",
    } as const;
    const bootstrap = { kind: "bootstrap", artifactName: "rel", deviceTypes: ["d"], compression: "none" } as const;

    it.each<[string, ArtifactPlan, string[]]>([
      ["module-image", module, []],
      [
        "module-image",
        { ...module, softwareName: "n", softwareVersion: "1.2", softwareFilesystem: "fs" },
        ["--software-name", "n", "--software-version", "1.2", "--software-filesystem", "fs"],
      ],
      ["module-image", { ...module, softwareFilesystem: "fs" }, ["--software-filesystem", "fs"]],
      ["module-image", { ...module, noDefaultSoftwareVersion: true }, ["--no-default-software-version"]],
      [
        "module-image",
        { ...module, noDefaultClearsProvides: true, clearsProvides: ["x"] },
        ["--no-default-clears-provides", "--clears-provides", "x"],
      ],
      [
        "module-image",
        { ...module, clearsProvides: ["x"], provides: { "rootfs-image.app.version": "9", b: "c" } },
        ["--clears-provides", "x", "-p", "rootfs-image.app.version:9", "-p", "b:c"],
      ],
      [
        "module-image",
        {
          ...module,
          depends: { k: "v" },
          artifactGroup: "g",
          dependsArtifactGroups: ["h", "i"],
          dependsArtifactNames: ["a", "b"],
        },
        ["-d", "k:v", "-g", "g", "-G", "h", "-G", "i", "-N", "a", "-N", "b"],
      ],
      ["rootfs-image", rootfs, []],
      [
        "rootfs-image",
        { ...rootfs, softwareName: "n", softwareVersion: "1.2", softwareFilesystem: "fs" },
        ["--software-name", "n", "--software-version", "1.2", "--software-filesystem", "fs"],
      ],
      ["rootfs-image", { ...rootfs, softwareFilesystem: "fs" }, ["--software-filesystem", "fs"]],
      ["rootfs-image", { ...rootfs, softwareFilesystem: "rootfs-image" }, ["--software-filesystem", "rootfs-image"]],
      ["rootfs-image", { ...rootfs, softwareName: "n" }, ["--software-name", "n"]],
      ["rootfs-image", { ...rootfs, checksumProvide: "none" }, ["--no-checksum-provide"]],
      ["rootfs-image", { ...rootfs, checksumProvide: "rootfs_image_checksum" }, ["--legacy-rootfs-image-checksum"]],
      ["rootfs-image", { ...rootfs, noDefaultSoftwareVersion: true }, ["--no-default-software-version"]],
      ["rootfs-image", { ...rootfs, noDefaultClearsProvides: true }, ["--no-default-clears-provides"]],
      [
        "rootfs-image",
        { ...rootfs, clearsProvides: ["x"], provides: { "rootfs-image.checksum": "mine" } },
        ["--clears-provides", "x", "-p", "rootfs-image.checksum:mine"],
      ],
      ["bootstrap-artifact", bootstrap, []],
      [
        "bootstrap-artifact",
        { ...bootstrap, provides: { a: "b" }, depends: { c: "d" }, clearsProvides: ["x"], artifactGroup: "g" },
        ["-p", "a:b", "-d", "c:d", "--clears-provides", "x", "-g", "g"],
      ],
    ])("%s %#", async (command, plan, flags) => {
      const path = join(folder, "theirs.mender");
      const files = command === "rootfs-image" ? ["-f", put("image", text)] : [];
      peer(
        "write",
        command,
        "-n",
        "rel",
        "-t",
        "d",
        "--compression",
        "none",
        "-o",
        path,
        ...files,
        ...flags,
        ...(command === "module-image" ? ["-T", "app"] : []),
      );
      const theirs = (await readByUs(path)).header;
      const mine = (await readByUs(await ours("ours.mender", plan))).header;
      expect(mine.headerInfoJson).toBe(theirs.headerInfoJson);
      // Of a rootfs image it leaves the type in type-info empty.
      expect(mine.payloads[0]?.typeInfoJson).toBe(
        theirs.payloads[0]?.typeInfoJson.replace('"type":""', '"type":"rootfs-image"'),
      );
    });
  });
});

describePeer(["zstd", "xz"], "the tools zstd and xz", () => {
  it.each([
    ["zstd", "zstd", ".zst"],
    ["xz", "xz", ".xz"],
  ] as const)("read what we compress: %s", async (compression, tool, suffix) => {
    const path = await ours("ours.mender", PLANS["a module image"]?.(compression) ?? { ...common, kind: "bootstrap" });
    const unpacked = join(folder, `unpacked-${compression}`);
    mkdirSync(unpacked);
    execFileSync("tar", ["xf", path, "-C", unpacked]);
    for (const part of ["header.tar", "data/0000.tar"]) {
      const plain = execFileSync(requirePeer(tool), ["-dc", join(unpacked, part + suffix)]);
      const names = execFileSync("tar", ["tf", "-"], { input: plain, encoding: "utf8" });
      expect(names).toContain(part === "header.tar" ? "header-info" : "noise.bin");
    }
  });

  it.each([
    ["zstd", ["-3"]],
    ["zstd", ["-19", "--long=27"]],
    ["zstd", ["--no-check", "-1"]],
    ["xz", ["-1"]],
    ["xz", ["-9e", "--check=crc32"]],
    ["xz", ["--block-size=65536"]],
  ] as const)("compress what we read: %s %j", async (tool, flags) => {
    const { artifactOf, tarOf } = await import("../shared/artifact/support.ts");
    const suffix = tool === "xz" ? ".xz" : ".zst";
    const pack = (content: Uint8Array): Buffer =>
      execFileSync(requirePeer(tool), ["-c", ...flags], { input: content, stdio: ["pipe", "pipe", "pipe"] });
    const artifact = await artifactOf(async (parts) => {
      parts.files = [
        ["noise.bin", noise],
        ["text", text],
      ];
      parts.payloadName = `data/0000.tar${suffix}`;
      parts.payload = pack(await tarOf(parts.files));
    });
    const { files } = await readBack(chunked(artifact, 4096));
    expect(files.get("0/noise.bin")?.equals(noise)).toBe(true);
    expect(files.get("0/text")?.equals(text)).toBe(true);
  });
});
