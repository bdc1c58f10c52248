import { generateKeyPairSync } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { artifactTool } from "./artifact-tool.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-artifact-cli-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const artifact = (...args: string[]) => artifactTool(args);

const at = (name: string): string => join(folder, name);

function put(name: string, content: string): string {
  writeFileSync(at(name), content);
  return at(name);
}

function keyPair(name: string): { readonly publicKey: string; readonly privateKey: string } {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return {
    publicKey: put(`${name}.pub`, publicKey.export({ type: "spki", format: "pem" }).toString()),
    privateKey: put(`${name}.key`, privateKey.export({ type: "pkcs8", format: "pem" }).toString()),
  };
}

async function made(...flags: string[]): Promise<string> {
  const path = at("made.mender");
  const common = ["-n", "release-1", "-t", "board", "-T", "app", "-f", put("app.bin", "content"), "-o", path];
  expect(await artifact("write", "module-image", ...common, ...flags)).toMatchObject({ status: 0, error: "" });
  return path;
}

/** Nothing half-written may stay. */
const leftovers = (): string[] => readdirSync(folder).filter((name) => name.includes(".part"));

describe("artifact write", () => {
  it("takes flags as mender-artifact does, lists by repeating them", async () => {
    const script = put("ArtifactInstall_Enter_10_stop", "#!/bin/sh\n");
    const path = await made(
      ...["-t", "board-2", "-f", put("more.bin", "more"), "-s", script, "-m", put("meta.json", '{"a":[1]}')],
      ...["-p", "app.flavour:sweet:sour", "-d", "boot.version:2", "--clears-provides", "app.*", "-g", "canary"],
      ...["-G", "canary", "-G", "beta", "-N", "release-0", "--software-name", "shop", "--software-version", "7"],
      ...["--compression", "lzma"],
    );
    expect(JSON.parse((await artifact("read", "--json", path)).out)).toMatchObject({
      name: "release-1",
      compression: "xz",
      signature: "unsigned",
      device_types: ["board", "board-2"],
      provides_group: "canary",
      depends_artifact_names: ["release-0"],
      depends_artifact_groups: ["canary", "beta"],
      scripts: ["ArtifactInstall_Enter_10_stop"],
      payloads: [
        {
          type: "app",
          provides: { "app.flavour": "sweet:sour", "rootfs-image.shop.version": "7" },
          depends: { "boot.version": "2" },
          clears_provides: ["app.*", "rootfs-image.shop.*"],
          meta_data: { a: [1] },
          files: [
            { name: "app.bin", size: 7 },
            { name: "more.bin", size: 4 },
          ],
        },
      ],
    });
  });

  it("leaves defaults out where it is told to", async () => {
    const path = await made("--no-default-software-version", "--no-default-clears-provides");
    expect(JSON.parse((await artifact("read", "--json", path)).out).payloads).toMatchObject([
      { provides: {}, clears_provides: [] },
    ]);
  });

  it("makes root file system images, with each way to provide the checksum", async () => {
    const image = put("rootfs.ext4", "image");
    const provides = async (...flags: string[]): Promise<string[]> => {
      const args = ["write", "rootfs-image", "-n", "r", "-t", "b", "-f", image, "-o", at("r.mender"), ...flags];
      expect(await artifact(...args)).toMatchObject({ status: 0 });
      return Object.keys(JSON.parse((await artifact("read", "--json", at("r.mender"))).out).payloads[0].provides);
    };
    expect(await provides()).toEqual(["rootfs-image.checksum", "rootfs-image.version"]);
    expect(await provides("--legacy-rootfs-image-checksum")).toEqual(["rootfs-image.version", "rootfs_image_checksum"]);
    expect(await provides("--no-checksum-provide", "--compression", "zstd")).toEqual(["rootfs-image.version"]);
    // As mender-artifact, where both are given.
    expect(await provides("--no-checksum-provide", "--legacy-rootfs-image-checksum")).toEqual(["rootfs-image.version"]);
  });

  it("bounds the size of an artifact, or warns of it", async () => {
    const content = put("large.bin", "x".repeat(50_000));
    const flags = ["-f", content, "--compression", "none"];
    const args = ["write", "module-image", "-n", "r", "-c", "b", "-T", "app", "-o", at("sized.mender"), ...flags];
    for (const limit of ["50KB", "0.05MB", "50000", "50000b"]) {
      expect(await artifact(...args, "--max-artifact-size", limit)).toMatchObject({
        status: 1,
        error: expect.stringContaining("larger than --max-artifact-size, 50000 bytes"),
      });
      expect(existsSync(at("sized.mender"))).toBe(false);
      expect(leftovers()).toEqual([]);
    }
    expect(await artifact(...args, "-o", "-", "--max-artifact-size", "50KB")).toMatchObject({ status: 1 });
    expect(await artifact(...args, "--max-artifact-size", "1GB", "--warn-artifact-size", "1MB")).toMatchObject({
      status: 0,
      error: "",
    });
    expect(await artifact(...args, "--warn-artifact-size", "50KB")).toMatchObject({
      status: 0,
      error: expect.stringMatching(
        /^warning: the artifact has \d+ bytes, more than --warn-artifact-size, 50000 bytes\n$/,
      ),
    });
    for (const size of ["5XB", "big", "-1", "1.5.2MB"]) {
      expect(await artifact(...args, `--max-artifact-size=${size}`)).toMatchObject({
        status: 1,
        error: expect.stringContaining(`--max-artifact-size: "${size}" is no size`),
      });
    }
  });

  it("compresses more with each level of zstd", async () => {
    let state = 1;
    const words = Array.from({ length: 60_000 }, () => {
      state = (state * 48_271) % 0x7fff_ffff;
      return `word-${state % 700} `;
    });
    const content = put("text.bin", words.join(""));
    const sizes: number[] = [];
    for (const level of ["zstd_fastest", "zstd_fast", "zstd_better", "zstd_best"]) {
      const path = await made("-f", content, "--compression", level);
      const read = JSON.parse((await artifact("read", "--json", path)).out);
      expect(read.compression).toBe("zstd");
      sizes.push(read.size);
    }
    expect(sizes[3]).toBeLessThan(sizes[0] ?? 0);
  });

  it("makes bootstrap artifacts", async () => {
    const args = ["-n", "factory", "-t", "b", "-p", "boot.version:2", "-o", at("b.mender"), "--json"];
    const ended = await artifact("write", "bootstrap-artifact", ...args);
    expect(JSON.parse(ended.out)).toEqual({
      path: at("b.mender"),
      name: "factory",
      size: expect.any(Number),
      signed: false,
    });
    expect((await artifact("read", at("b.mender"))).out).toContain("- Type: Empty type");
  });

  it.each<[string, string[], RegExp]>([
    ["a file that is not there", ["-f", "/nonexistent/file"], /\/nonexistent\/file: there is no such file/],
    ["a directory", ["-f", tmpdir()], /is a directory, not a file/],
    ["a pair without a colon", ["-p", "novalue"], /--provides: "novalue" is not of the form KEY:VALUE/],
    ["a script of another name", ["-s", "/etc/hostname"], /"hostname" is no name of an artifact's state script/],
    ["meta-data that is no object", ["-m", "/etc/hostname"], /meta-data is not JSON/],
    ["a key that is none", ["-k", "/etc/hostname"], /the signing key is no private key in PEM/],
    ["an output in no directory", ["-o", "/nonexistent/out.mender"], /ENOENT/],
    ["a directory as output", ["-o", tmpdir()], /is a directory/],
  ])("refuses %s, in one line, and leaves nothing behind", async (_, flags, message) => {
    const args = ["write", "module-image", "-n", "r", "-t", "b", "-T", "app", ...flags];
    const ended = await artifact(...args, ...(flags.includes("-o") ? [] : ["-o", at("out.mender")]));
    expect(ended).toMatchObject({ status: 1, out: "" });
    expect(ended.error).toMatch(message);
    expect(ended.error.trim().split("\n")).toHaveLength(1);
    expect(existsSync(at("out.mender"))).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  it("does not touch what is there when it fails", async () => {
    const path = put("out.mender", "precious");
    // Two files of one name.
    mkdirSync(at("other"));
    const files = ["-f", put("app.bin", "a"), "-f", put("other/app.bin", "b")];
    const ended = await artifact("write", "module-image", "-n", "r", "-t", "b", "-T", "app", ...files, "-o", path);
    expect(ended).toMatchObject({ status: 1 });
    expect(ended.error).toMatch(/two files of the name "app.bin"/);
    expect(readFileSync(path, "utf8")).toBe("precious");
    expect(leftovers()).toEqual([]);
  });

  it("wants to know what is needed", async () => {
    await expect(artifact("write", "module-image", "-n", "r")).rejects.toThrow(/Missing required argument: type/);
    expect((await artifact("write", "module-image", "-n", "r", "-T", "app")).error).toMatch(/a device type is needed/);
    await expect(artifact("write")).rejects.toThrow(/Say what to write/);
    await expect(artifact()).rejects.toThrow(/Say what to do/);
    await expect(made("--compression", "brotli")).rejects.toThrow(/compression/);
  });
});

describe("artifact read and validate", () => {
  it("tell people what an artifact is", async () => {
    const { out } = await artifact("read", await made());
    for (const line of ["Name: release-1", "Compatible types: [board]", "- Type: app", "name: app.bin", "size: 7"]) {
      expect(out).toContain(line);
    }
  });

  it("end with 4 for an artifact that is not in order, and 3 if there is none", async () => {
    const path = await made();
    expect(await artifact("validate", path)).toMatchObject({
      status: 0,
      out: expect.stringContaining("validated successfully"),
    });
    const content = readFileSync(path);
    writeFileSync(path, content.subarray(0, -1500));
    for (const command of ["read", "validate"]) {
      expect(await artifact(command, path)).toMatchObject({
        status: 4,
        out: "",
        error: expect.stringContaining("too early"),
      });
      const { out, status } = await artifact(command, path, "--json");
      expect({ status, code: JSON.parse(out).error.code }).toEqual({ status: 4, code: "truncated" });
      expect(await artifact(command, at("none.mender"))).toMatchObject({
        status: 3,
        error: expect.stringContaining("none.mender"),
      });
    }
  });

  it("verify signatures with the keys that they are given", async () => {
    const [mine, other] = [keyPair("mine"), keyPair("other")];
    const path = await made("-k", mine.privateKey);
    expect(JSON.parse((await artifact("validate", "--json", path)).out).signature).toBe("unchecked");
    const ended = await artifact("validate", "--json", "-k", other.publicKey, "-k", mine.publicKey, path);
    expect(JSON.parse(ended.out)).toEqual({ valid: true, name: "release-1", signature: "verified" });
    expect(await artifact("validate", "-k", other.publicKey, path)).toMatchObject({ status: 4 });
    expect(await artifact("validate", "-k", mine.publicKey, await made())).toMatchObject({
      status: 4,
      error: expect.stringMatching(/not signed/),
    });
  });
});

describe("artifact sign", () => {
  it("signs in place or elsewhere, and again only if it is told to", async () => {
    const { publicKey, privateKey } = keyPair("mine");
    const path = await made();
    expect(await artifact("sign", "-k", privateKey, "-o", at("signed.mender"), path)).toMatchObject({ status: 0 });
    expect(await artifact("validate", "-k", publicKey, at("signed.mender"))).toMatchObject({ status: 0 });
    expect(await artifact("validate", "-k", publicKey, path)).toMatchObject({ status: 4 });
    expect(await artifact("sign", "-k", privateKey, path)).toMatchObject({ status: 0 });
    expect(readFileSync(path).equals(readFileSync(at("signed.mender")))).toBe(true);
    expect(await artifact("sign", "-k", privateKey, path)).toMatchObject({
      status: 1,
      error: expect.stringMatching(/signed already/),
    });
    expect(await artifact("sign", "-k", keyPair("new").privateKey, "--force", path)).toMatchObject({ status: 0 });
    expect(await artifact("validate", "-k", publicKey, path)).toMatchObject({ status: 4 });
  });

  it("leaves a damaged artifact as it is", async () => {
    const path = await made("--compression", "none");
    const content = readFileSync(path);
    content.write("c0ntent", content.lastIndexOf("content"));
    writeFileSync(path, content);
    expect(await artifact("sign", "-k", keyPair("mine").privateKey, path)).toMatchObject({ status: 4 });
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(leftovers()).toEqual([]);
  });
});

describe("artifact dump", () => {
  it("writes out what an artifact is made of, and the flags that make it anew", async () => {
    const script = put("ArtifactInstall_Enter_10_stop", "#!/bin/sh\n");
    chmodSync(script, 0o755);
    const path = await made("-s", script, "-m", put("meta.json", '{"a":1}'), "-d", "k:it's");
    const before = readFileSync(path);
    const directories = ["--files", at("files"), "--scripts", at("scripts"), "--meta-data", at("meta")];
    const { out } = await artifact("dump", ...directories, "--print0-cmdline", path);
    expect(readFileSync(at("files/app.bin"), "utf8")).toBe("content");
    expect(readFileSync(at("meta/0000.meta-data"), "utf8")).toBe('{"a":1}');
    expect(statSync(at("scripts/ArtifactInstall_Enter_10_stop")).mode & 0o777).toBe(0o755);
    const words = out.split("\0");
    expect(await artifact(...words, "-o", at("anew.mender"))).toMatchObject({ status: 0 });
    expect(readFileSync(at("anew.mender")).equals(before)).toBe(true);
    expect((await artifact("dump", "--print-cmdline", path)).out).toContain(`--depends 'k:it'\\''s'`);
  });

  it("leaves nothing of a damaged artifact", async () => {
    const path = await made();
    writeFileSync(path, readFileSync(path).subarray(0, -1200));
    expect(await artifact("dump", "--files", at("files"), path)).toMatchObject({ status: 4 });
    expect(readdirSync(at("files"))).toEqual([]);
  });
});
