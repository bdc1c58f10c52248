import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { describePeer } from "../../interop/peers.ts";
import { artifactTool } from "./artifact-tool.ts";

let folder: string;
const at = (name: string): string => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-artifact-images-"));
  mkdirSync(at("temporary"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const artifact = (...args: string[]) => artifactTool(args, { temporaryDirectory: at("temporary") });

describePeer(["mkfs.ext4", "debugfs"], "the image in an artifact", () => {
  const made = async (...flags: string[]): Promise<string> => {
    mkdirSync(at("tree/etc/mender"), { recursive: true });
    writeFileSync(at("tree/etc/mender/mender.conf"), '{"ServerURL":"https://a.example.com","Own":[1]}');
    writeFileSync(at("tree/etc/hostname"), "before\n", { mode: 0o640 });
    writeFileSync(at("image.ext4"), Buffer.alloc(2 * 1024 * 1024));
    execFileSync("mkfs.ext4", ["-q", "-d", at("tree"), at("image.ext4")], { stdio: "pipe" });
    const path = at("release.mender");
    const write = ["write", "rootfs-image", "-n", "release-1", "-c", "board", "-f", at("image.ext4"), "-o", path];
    expect(await artifact(...write, ...flags)).toMatchObject({ status: 0 });
    return path;
  };
  const done = async (...args: string[]): Promise<string> => {
    const { status, error, out } = await artifact(...args);
    expect({ status, error }).toEqual({ status: 0, error: "" });
    expect(readdirSync(at("temporary"))).toEqual([]);
    return out;
  };

  it("takes files, gives them, and loses them", async () => {
    const path = await made();
    const odd = 'a "name" with $signs; and <12> blanks';
    writeFileSync(at("new.conf"), "content\n", { mode: 0o600 });
    await done("cp", at("new.conf"), `${path}:/etc/${odd}`);
    expect(await done("cat", `${path}:/etc/${odd}`)).toBe("content\n");
    await done("cp", `${path}:/etc/${odd}`, at("temporary/../taken"));
    expect(readFileSync(at("taken"), "utf8")).toBe("content\n");
    expect(statSync(at("taken")).mode & 0o777).toBe(0o600);
    await done("install", "-d", `${path}:/opt/deep/er`);
    await done("install", "-m", "755", at("new.conf"), `${path}:/opt/deep/er/`);
    await done("cp", `${path}:/opt/deep/er/new.conf`, at("tree"));
    expect(statSync(at("tree/new.conf")).mode & 0o777).toBe(0o755);
    await done("rm", "-r", `${path}:/opt`);
    expect(await artifact("cat", `${path}:/opt/deep/er/new.conf`)).toMatchObject({
      status: 1,
      error: expect.stringContaining("/opt/deep/er/new.conf is not in the image"),
    });
    expect(await artifact("validate", path)).toMatchObject({ status: 0 });
  });

  it("takes a file from standard input", async () => {
    const path = await made();
    const input = async function* () {
      yield Buffer.from("from ");
      yield Buffer.from("input\n");
    };
    const args = ["cp", "-", `${path}:/etc/hostname`];
    expect(await artifactTool(args, { input, temporaryDirectory: at("temporary") })).toMatchObject({ status: 0 });
    expect(await done("cat", `${path}:/etc/hostname`)).toBe("from input\n");
  });

  it("is changed by itself, without an artifact around it", async () => {
    await made();
    await done("modify", "--server-uri", "https://b.example.com", at("image.ext4"));
    expect(JSON.parse(await done("cat", `${at("image.ext4")}:/etc/mender/mender.conf`))).toEqual({
      ServerURL: "https://b.example.com",
      Own: [1],
    });
    expect(await artifact("modify", "-p", "a:b", at("image.ext4"))).toMatchObject({
      status: 1,
      error: expect.stringContaining("--provides changes an artifact"),
    });
  });

  it("is signed anew with a key, and a lost signature is told", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    writeFileSync(at("key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
    writeFileSync(at("key.pub"), publicKey.export({ type: "spki", format: "pem" }));
    const path = await made("-k", at("key.pem"));
    await done("modify", "-n", "release-2", "-k", at("key.pem"), path);
    expect(await artifact("validate", "-k", at("key.pub"), path)).toMatchObject({ status: 0 });
    expect(await artifact("rm", `${path}:/etc/hostname`)).toMatchObject({
      status: 0,
      error: "warning: the artifact was signed and is no longer; --key signs it\n",
    });
  });

  it.each<[string, (path: string) => string[], RegExp]>([
    ["no path in an artifact", (path) => ["cat", path], /names no file in an artifact; it must be ARTIFACT:\/PATH/],
    ["a path that climbs", (path) => ["cat", `${path}:/etc/../etc/hostname`], /must have no "\.\."/],
    ["a directory as a file", (path) => ["cat", `${path}:/etc`], /\/etc of the image is of the type directory/],
    [
      "a file over a directory",
      (path) => ["cp", at("image.ext4"), `${path}:/etc`],
      /type directory, not a regular file/,
    ],
    [
      "no directory",
      (path) => ["cp", at("tree/etc/hostname"), `${path}:/none/x`],
      /\/none is no directory of the image/,
    ],
    ["a full directory", (path) => ["rm", `${path}:/etc`], /not empty; --recursive removes it/],
    ["more than fits", (path) => ["cp", at("large"), `${path}:/etc/large`], /debugfs: .*(space|allocate)/i],
    [
      "a wrong mode",
      (path) => ["install", "-m", "rwx", at("large"), `${path}:/etc/x`],
      /"rwx" must be permission bits/,
    ],
    ["a control character", (path) => ["rm", `${path}:/etc/a\nrm /etc`], /names no file|control character/],
  ])("stays as it is: %s", async (_, args, message) => {
    const path = await made();
    writeFileSync(at("large"), Buffer.alloc(4 * 1024 * 1024, "x"));
    const before = readFileSync(path);
    expect(await artifact(...args(path))).toMatchObject({ status: 1, error: expect.stringMatching(message) });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(at("temporary"))).toEqual([]);
  });

  it("is needed: a payload of another kind is refused by name", async () => {
    await made();
    writeFileSync(at("app.bin"), "no image");
    const path = at("app.mender");
    await done("write", "module-image", "-n", "r", "-c", "b", "-T", "app", "-f", at("app.bin"), "-o", path, "--json");
    const place = `${path}:/etc/hostname`;
    for (const args of [
      ["cat", place],
      ["rm", place],
      ["modify", "-u", "https://x.example.com", path],
    ]) {
      expect(await artifact(...args)).toMatchObject({
        status: 1,
        error: expect.stringContaining("the payload is no image of ext2, ext3 or ext4"),
      });
    }
    expect(await artifact("modify", "-n", "r2", "--json", path)).toMatchObject({ status: 0 });
    expect(JSON.parse((await artifact("read", "--json", path)).out).name).toBe("r2");
  });

  it("needs debugfs, which is told where it is missing", async () => {
    const path = await made();
    const { PATH } = process.env;
    process.env.PATH = at("tree");
    try {
      expect(await artifact("cat", `${path}:/etc/hostname`)).toMatchObject({
        status: 1,
        error:
          "upkeep-server: the program debugfs is needed and not installed; Debian has it in the package e2fsprogs\n",
      });
    } finally {
      process.env.PATH = PATH;
    }
  });
});
