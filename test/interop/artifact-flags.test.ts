// `mender-artifact` and `upkeep-server artifact` side by side, flag by flag: the same words to both, and the artifacts
// that come of them say the same.
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { artifactTool } from "../mock-server/cli/artifact-tool.ts";
import { chunked, readBack, sha256 } from "../shared/artifact/support.ts";
import { describePeer, requirePeer } from "./peers.ts";

let folder: string;
const at = (name: string): string => join(folder, name);

/** Files that the words of the tables name. */
const FILES: Readonly<Record<string, string>> = {
  "app.bin": "an application\n",
  "more.bin": "more of it\n",
  "changed.conf": "changed = yes\n",
  "meta.json": '{"list":[1,2],"nested":{"key":"value"}}',
  "other.json": '{"other":true}',
  ArtifactInstall_Enter_10_stop: "#!/bin/sh\nexit 0\n",
  "scripts/ArtifactInstall_Leave_10_start": "#!/bin/sh\nexit 1\n",
  "scripts/ArtifactCommit_Enter_01_check": "#!/bin/sh\nexit 2\n",
  [`${"n".repeat(150)}.bin`]: "a long name\n",
};

interface Ended {
  readonly status: number;
  readonly out: Buffer;
  readonly error: string;
}

function theirs(words: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(requirePeer("mender-artifact"), words, { cwd: folder });
  return { status: status ?? 1, out: stdout, error: stderr.toString() };
}

async function ours(words: readonly string[]): Promise<Ended> {
  try {
    const { status, bytes, error } = await artifactTool(words);
    return { status, out: bytes, error };
  } catch (error) {
    // What the program tells of a mistake in its command line, ending with 1.
    return { status: 1, out: Buffer.alloc(0), error: error instanceof Error ? error.message : String(error) };
  }
}

/** The words with the names of files as paths, and `OUT` as the artifact's. */
function placed(words: readonly string[], out: string): string[] {
  const names = [...Object.keys(FILES), "scripts", "image.ext4", "rsa.pem", "ec.pem", "rsa.pub", "ec.pub"];
  return words.map((word) => (names.includes(word) ? at(word) : word.replace(/(?<=^|=)OUT(?=$|:)/, out)));
}

/** All that an artifact says, but its times. */
async function told(content: Uint8Array) {
  const { header, files } = await readBack(chunked(content), { augmented: true });
  const { headerInfoJson, payloads, scripts, signature, compression, augment } = header;
  return {
    ...{ headerInfoJson, signature, compression, augment },
    scripts: scripts.map(({ name, content: script }) => [name, sha256(script)]).sort(),
    payloads: payloads.map(({ typeInfoJson, metaDataJson }) => [
      // Versions before 4.4 leave the type of a rootfs-image empty here.
      JSON.parse(typeInfoJson.replace('"type":""', '"type":"rootfs-image"')),
      JSON.parse(metaDataJson ?? "null"),
    ]),
    files: [...files].map(([name, file]) => [name, sha256(file)]),
  };
}

const MODULE = ["write", "module-image", "-n", "release-1", "-T", "app", "-o", "OUT"];
const TYPED = [...MODULE, "-t", "board"];
const ROOTFS = ["write", "rootfs-image", "-n", "release-1", "-t", "board", "-o", "OUT", "-f", "image.ext4"];
const BOOTSTRAP = ["write", "bootstrap-artifact", "-n", "release-1", "-t", "board", "-o", "OUT"];
const LONG = ["--artifact-name", "release-1", "--device-type", "board", "--output-path", "OUT"];

interface Row {
  readonly words: readonly string[];
  /** The same for the installed version of `mender-artifact`, where a newer one brought the flag. */
  readonly older?: readonly string[];
}

const WRITTEN: Readonly<Record<string, Row>> = {
  "long names of flags": { words: ["write", "module-image", ...LONG, "--type", "app", "--file", "app.bin"] },
  "--flag=value": { words: ["write", "module-image", "--artifact-name=release-1", "-t=board", "-T=app", "-o=OUT"] },
  "several device types and files": { words: [...TYPED, "-t", "board-2", "-f", "app.bin", "-f", "more.bin"] },
  "-c": { words: [...MODULE, "-c", "board", "-c", "board-2"], older: [...TYPED, "-t", "board-2"] },
  "--compatible-types": { words: [...MODULE, "--compatible-types", "board"], older: TYPED },
  "-v 3": { words: [...TYPED, "-v", "3"] },
  "--version 3": { words: [...ROOTFS, "--version", "3"] },
  "-s FILE": { words: [...TYPED, "-s", "ArtifactInstall_Enter_10_stop"] },
  "-s DIRECTORY": { words: [...TYPED, "-s", "scripts", "-s", "ArtifactInstall_Enter_10_stop"] },
  "-m": { words: [...TYPED, "-m", "meta.json"] },
  "-N, -G, -g": { words: [...TYPED, "-N", "a", "-N", "b", "-G", "c", "-G", "d", "-g", "e"] },
  "their long names": {
    words: [...TYPED, "--artifact-name-depends", "a", "--depends-groups", "c", "--provides-group", "e"],
  },
  "-p, -d, --clears-provides": { words: [...TYPED, "-p", "a:b:c", "-d", "e:f", "--clears-provides", "g.*"] },
  "their longer names": { words: [...TYPED, "--provides", "a:b", "--depends", "e:f"] },
  "--software-…": {
    words: [...TYPED, "--software-name", "n", "--software-version", "1.2", "--software-filesystem", "fs"],
  },
  "--no-default-…": { words: [...TYPED, "--no-default-software-version", "--no-default-clears-provides"] },
  "a version, but no default one": { words: [...TYPED, "--no-default-software-version", "--software-version", "7"] },
  "a name without a default version": { words: [...ROOTFS, "--no-default-software-version", "--software-name", "n"] },
  "--no-default-clears-provides": { words: [...ROOTFS, "--no-default-clears-provides"] },
  "--compression none": { words: [...TYPED, "-f", "app.bin", "--compression", "none"] },
  "--compression gzip": { words: [...ROOTFS, "--compression", "gzip"] },
  "--compression lzma": { words: [...ROOTFS, "--compression", "lzma"] },
  "--compression before the command": { words: ["--compression", "lzma", ...TYPED, "-f", "app.bin"] },
  "--compression in both places": { words: ["--compression", "lzma", ...TYPED, "--compression", "none"] },
  "--no-progress": { words: [...ROOTFS, "--no-progress"] },
  "-k, RSA": { words: [...TYPED, "-f", "app.bin", "-k", "rsa.pem"] },
  "--key, ECDSA": { words: [...BOOTSTRAP, "--key", "ec.pem"] },
  "--no-checksum-provide": { words: [...ROOTFS, "--no-checksum-provide"] },
  "--legacy-rootfs-image-checksum": { words: [...ROOTFS, "--legacy-rootfs-image-checksum"] },
  "both of them": { words: [...ROOTFS, "--no-checksum-provide", "--legacy-rootfs-image-checksum"] },
  "a flag of one value twice": { words: [...TYPED, "-n", "release-2", "--software-name", "a", "--software-name", "b"] },
  "a flag without a value twice": { words: [...ROOTFS, "--no-checksum-provide", "--no-checksum-provide"] },
  "a file name of 154 characters": { words: [...TYPED, "-f", `${"n".repeat(150)}.bin`] },
  "a bootstrap artifact": { words: [...BOOTSTRAP, "-p", "a:b", "-d", "c:d", "--clears-provides", "x", "-g", "g"] },
  "an augmented artifact": {
    words: [
      ...[...TYPED, "-f", "app.bin", "--augment-type", "delta", "--augment-file", "more.bin"],
      ...["--augment-provides", "a:b", "--augment-depends", "c:d", "--augment-meta-data", "meta.json"],
    ],
  },
  "an augmented artifact that is signed": { words: [...TYPED, "--augment-type", "delta", "-k", "rsa.pem"] },
};

/** What neither writes. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  "-v 4": [...ROOTFS, "-v", "4"],
  "no device type": MODULE,
  "no name": ["write", "module-image", "-t", "board", "-T", "app", "-o", "OUT"],
  "no payload type": ["write", "module-image", "-t", "board", "-n", "r", "-o", "OUT"],
  "no image": ["write", "rootfs-image", "-t", "board", "-n", "r", "-o", "OUT"],
  "a file that is not there": [...TYPED, "-f", "/nonexistent"],
  "a key that is none": [...TYPED, "-k", "app.bin"],
  "a script of another name": [...TYPED, "-s", "app.bin"],
  "an unknown compression": [...TYPED, "--compression", "brotli"],
  "an unknown flag": [...TYPED, "--such-a-flag"],
  "an augmented file without its type": [...TYPED, "--augment-file", "app.bin"],
  "an output in no directory": [
    "write",
    "module-image",
    "-n",
    "r",
    "-T",
    "app",
    "-t",
    "b",
    "-o",
    "/nonexistent/a.mender",
  ],
};

/** What we do not write, although the installed version of `mender-artifact` ends with 0. */
const REFUSED_BY_US: Readonly<Record<string, readonly string[]>> = {
  "-v 2 of a module image": [...TYPED, "-v", "2"],
  "a pair without a colon": [...TYPED, "-p", "a"],
  "meta-data that is no JSON": [...TYPED, "-m", "app.bin"],
  "both names of the device type": [...TYPED, "-c", "board"],
  "an image of a running device": [...ROOTFS, "-f", "ssh://root@device"],
};

/** Changes of an artifact, which was made by `start`. */
const CHANGED: Readonly<Record<string, { readonly start?: readonly string[]; readonly words: readonly string[] }>> = {
  "modify -n": { words: ["modify", "-n", "release-2", "OUT"] },
  "modify --name": { words: ["modify", "--name", "release-2", "OUT"] },
  "modify -n of a module image": { start: [...TYPED, "-f", "app.bin"], words: ["modify", "-n", "release-2", "OUT"] },
  "modify -N, -G, -g": { words: ["modify", "-N", "a", "-G", "b", "-g", "c", "OUT"] },
  "modify -p, -d": { words: ["modify", "-p", "a:b", "-d", "c:d", "OUT"] },
  "modify -m": { start: [...TYPED, "-m", "meta.json"], words: ["modify", "-m", "other.json", "OUT"] },
  "modify --clears-provides": { words: ["modify", "--clears-provides", "a.*", "OUT"] },
  "modify --delete-clears-provides": { words: ["modify", "--delete-clears-provides", "artifact_group", "OUT"] },
  "modify -u, -t": { words: ["modify", "-u", "https://after.example.com", "-t", "TOKEN", "OUT"] },
  "modify -c, -v": { words: ["modify", "-c", "rsa.pub", "-v", "ec.pub", "OUT"] },
  "modify --compression": { words: ["modify", "-n", "release-2", "--compression", "lzma", "OUT"] },
  "modify -k": { words: ["modify", "-n", "release-2", "-k", "rsa.pem", "OUT"] },
  "modify of a signed artifact": { start: [...ROOTFS, "-k", "rsa.pem"], words: ["modify", "-n", "release-2", "OUT"] },
  "cp into": { words: ["cp", "changed.conf", "OUT:/etc/changed.conf"] },
  "cp into, over a file": { words: ["cp", "changed.conf", "OUT:/etc/mender/mender.conf"] },
  "install -m": { words: ["install", "-m", "0750", "changed.conf", "OUT:/usr/program"] },
  "install -d": { words: ["install", "-d", "OUT:/usr/share/doc"] },
  rm: { words: ["rm", "OUT:/etc/mender/mender.conf"] },
  "rm -r": { words: ["rm", "-r", "OUT:/etc/mender/"] },
  sign: { words: ["sign", "-k", "rsa.pem", "OUT"] },
  "sign --force": { start: [...ROOTFS, "-k", "ec.pem"], words: ["sign", "--force", "-k", "rsa.pem", "OUT"] },
};

/** What neither does to an artifact, which stays as it is. */
const UNCHANGED: Readonly<Record<string, readonly string[]>> = {
  "sign without a key": ["sign", "OUT"],
  "install without a mode": ["install", "app.bin", "OUT:/usr/app.bin"],
  "cp into no directory": ["cp", "app.bin", "OUT:/none/app.bin"],
  "rm of what is not there": ["rm", "OUT:/none"],
  "rm of a directory": ["rm", "OUT:/etc/mender/"],
  "cat of what is not there": ["cat", "OUT:/none"],
  "cp of two files": ["cp", "app.bin", "more.bin"],
};

/** The files of the image in an artifact: their modes, owners and checksums by path. */
async function imageIn(content: Uint8Array): Promise<unknown> {
  const image = (await readBack(chunked(content))).files.get("0/image.ext4");
  if (image === undefined) return undefined;
  writeFileSync(at("taken.ext4"), image);
  // debugfs leaves no trace of a fault that it makes: e2fsck does.
  execFileSync("e2fsck", ["-f", "-n", at("taken.ext4")], { stdio: "pipe" });
  const debugfs = (command: string): string =>
    execFileSync("debugfs", ["-R", command, at("taken.ext4")], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const walk = (directory: string): [string, unknown][] =>
    debugfs(`ls -p "${directory}"`)
      .split("\n")
      .flatMap((line): [string, unknown][] => {
        const [, , mode = "", user, group, name = ""] = line.split("/");
        if (name === "" || name === "." || name === ".." || name === "lost+found") return [];
        const path = `${directory}/${name}`;
        if (mode.startsWith("04")) return [[path, [mode, user, group]], ...walk(path)];
        const text = debugfs(`cat "${path}"`);
        // We keep the mode of a file that is replaced; it writes artifact_info with 0600.
        const compared = name === "artifact_info" ? "of no matter" : mode;
        return [[path, [compared, user, group, path.endsWith(".conf") ? parsed(text) : text.trim()]]];
      });
  return Object.fromEntries(walk(""));
}

function parsed(text: string): unknown {
  return text.startsWith("{") ? JSON.parse(text) : text;
}

describePeer(
  ["mender-artifact", "openssl", "mkfs.ext4", "debugfs"],
  "mender-artifact and our tool, side by side:",
  () => {
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "upkeep-artifact-flags-"));
      for (const directory of ["scripts", "tree/etc/mender", "tree/usr"]) mkdirSync(at(directory), { recursive: true });
      for (const [name, content] of Object.entries(FILES)) writeFileSync(at(name), content);
      writeFileSync(at("tree/etc/mender/artifact_info"), "artifact_name=before\n");
      writeFileSync(
        at("tree/etc/mender/mender.conf"),
        '{"ServerURL":"https://before.example.com","UpdatePollIntervalSeconds":5}',
      );
      writeFileSync(at("tree/usr/old file"), "old\n");
      writeFileSync(at("image.ext4"), Buffer.alloc(4 * 1024 * 1024));
      execFileSync("mkfs.ext4", ["-q", "-d", at("tree"), at("image.ext4")], { stdio: "pipe" });
      execFileSync("openssl", ["genrsa", "-traditional", "-out", at("rsa.pem"), "2048"], { stdio: "pipe" });
      execFileSync("openssl", ["ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", at("ec.pem")]);
      for (const key of ["rsa", "ec"]) {
        const publicKey = execFileSync("openssl", ["pkey", "-in", at(`${key}.pem`), "-pubout"], { stdio: "pipe" });
        writeFileSync(at(`${key}.pub`), publicKey);
      }
    });

    afterAll(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    describe("write", () => {
      it.each(Object.entries(WRITTEN))("%s", async (_, { words, older = words }) => {
        expect(theirs(placed(older, at("theirs.mender")))).toMatchObject({ status: 0 });
        expect(await ours(placed(words, at("ours.mender")))).toMatchObject({ status: 0, error: "" });
        expect(await told(readFileSync(at("ours.mender")))).toEqual(await told(readFileSync(at("theirs.mender"))));
        // Each is read by the other.
        expect((await ours(["validate", at("theirs.mender")])).status).toBe(0);
        const signed = words.includes("-k") || words.includes("--key");
        const key = words.includes("rsa.pem") ? "rsa.pub" : "ec.pub";
        expect(theirs(["validate", ...(signed ? ["-k", at(key)] : []), at("ours.mender")])).toMatchObject({
          status: 0,
        });
      });

      it("-o -", async () => {
        const words = [...TYPED, "-f", "app.bin"];
        // Versions before 4 have no standard output as a path.
        expect(theirs(placed(words, at("theirs.mender"))).status).toBe(0);
        expect(await told((await ours(placed(words, "-"))).out)).toEqual(await told(readFileSync(at("theirs.mender"))));
      });

      it.each(Object.entries(REFUSED))("refused by both: %s", async (_, words) => {
        const here = await ours(placed(words, at("refused.mender")));
        expect(here.status).not.toBe(0);
        expect(here.error).not.toBe("");
        expect(theirs(placed(words, at("refused.mender"))).status).not.toBe(0);
      });

      it.each(Object.entries(REFUSED_BY_US))("refused by us: %s", async (_, words) => {
        const refused = await ours(placed(words, at("refused.mender")));
        expect(refused).toMatchObject({ status: 1, error: expect.stringMatching(/\S/) });
      });
    });

    describe("change", () => {
      it.each(Object.entries(CHANGED))("%s", async (_, { start = ROOTFS, words }) => {
        expect(theirs(placed(start, at("theirs.mender")))).toMatchObject({ status: 0 });
        copyFileSync(at("theirs.mender"), at("ours.mender"));
        expect(theirs(placed(words, at("theirs.mender")))).toMatchObject({ status: 0 });
        expect(await ours(placed(words, at("ours.mender")))).toMatchObject({ status: 0 });
        const [mine, other] = [readFileSync(at("ours.mender")), readFileSync(at("theirs.mender"))];
        expect(await imageIn(mine)).toEqual(await imageIn(other));
        expect(withoutImage(await told(mine))).toEqual(withoutImage(await told(other)));
      });

      it.each(Object.entries(UNCHANGED))("refused by both: %s", async (_, words) => {
        expect(theirs(placed(ROOTFS, at("start.mender")))).toMatchObject({ status: 0 });
        const before = readFileSync(at("start.mender"));
        const here = await ours(placed(words, at("start.mender")));
        expect(here.status).not.toBe(0);
        expect(here.error).not.toBe("");
        expect(readFileSync(at("start.mender")).equals(before)).toBe(true);
        expect(theirs(placed(words, at("start.mender"))).status).not.toBe(0);
      });

      it("cat, and cp out", async () => {
        theirs(placed(ROOTFS, at("start.mender")));
        for (const words of [["cat", `${at("start.mender")}:/etc/mender/mender.conf`]]) {
          expect((await ours(words)).out.toString()).toBe(theirs(words).out.toString());
        }
        await ours(["cp", `${at("start.mender")}:/usr/old file`, at("ours.copy")]);
        theirs(["cp", `${at("start.mender")}:/etc/mender/artifact_info`, at("theirs.copy")]);
        expect(readFileSync(at("ours.copy"), "utf8")).toBe("old\n");
        expect(readFileSync(at("theirs.copy"), "utf8")).toBe("artifact_name=before\n");
      });
    });

    it("read prints the fields that scripts look for, as mender-artifact 4.4 has them", async () => {
      theirs(
        placed(
          [...TYPED, "-f", "app.bin", "-p", "a:b", "-s", "scripts/ArtifactInstall_Leave_10_start", "-m", "meta.json"],
          at("start.mender"),
        ),
      );
      const read = (await ours(["read", "--no-progress", at("start.mender")])).out.toString();
      expect(read.replace(/modified: .*/g, "modified: TIME")).toBe(`\
Mender Artifact:
  Name: release-1
  Format: mender
  Version: 3
  Signature: no signature
  Compatible types: [board]
  Provides group: 
  Depends on one of artifact(s): []
  Depends on one of group(s): []
  State scripts:
    - ArtifactInstall_Leave_10_start

Updates:
  - Type: app
    Provides:
      a: b
      rootfs-image.app.version: release-1
    Depends: {}
    Clears Provides: [rootfs-image.app.*]
    Metadata:
      {
        "list": [
          1,
          2
        ],
        "nested": {
          "key": "value"
        }
      }
    Files:
      - checksum: ${sha256(FILES["app.bin"] ?? "")}
        modified: TIME
        name: app.bin
        size: 15
`);
    });
  },
);

/** Time stamps in the image make its checksum differ. */
function withoutImage(said: Awaited<ReturnType<typeof told>>): unknown {
  const checksum = /"rootfs[-_]image[._]checksum":"[0-9a-f]{64}"/g;
  const text = JSON.stringify({ ...said, files: said.files.map(([name]) => name) });
  return JSON.parse(text.replace(checksum, '"checksum":"of the image"'));
}
