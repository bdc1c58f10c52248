import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createAgentRoot, runUpkeep } from "../support/agent.ts";
import { runUpkeepServer } from "../support/server.ts";
import { describePeer } from "./peers.ts";
import { makeSingleFileArtifact } from "./single-file.ts";

const MODULES = "/usr/share/mender/modules/v3";
const GENERATORS = "/usr/share/doc/mender-client/examples";
const DEVICE_TYPE = "interop-board";

/** How to make a key as mender-artifact 3.9 can read it: not as PKCS #8. */
const KEYS = {
  RSA: ["genrsa", "-traditional"],
  "ECDSA P-256": ["ecparam", "-genkey", "-noout", "-name", "prime256v1"],
} as const;

describePeer(["mender", "mender-artifact", "openssl"], "our agent installs what mender-artifact wrote", () => {
  let folder: string;
  let root: string;
  let destination: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-install-"));
    root = join(folder, "device");
    destination = join(folder, "etc");
    mkdirSync(destination);
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function device(config: Readonly<Record<string, unknown>> = {}): void {
    const identity = { mac: "02:00:5e:00:53:02" };
    createAgentRoot(root, { serverUrl: "http://127.0.0.1:9", deviceType: DEVICE_TYPE, identity, config });
    for (const module of ["single-file", "directory", "script"]) {
      cpSync(join(MODULES, module), join(root, "usr/share/mender/modules/v3", module));
    }
  }

  const singleFile = (artifactName: string, extraArgs: readonly string[]): string =>
    makeSingleFileArtifact({
      ...{ folder, artifactName, deviceType: DEVICE_TYPE, destination, extraArgs },
      ...{ fileName: "motd", content: `hello from ${artifactName}\n` },
    });

  function expectRefusal(artifact: string): string {
    try {
      runUpkeep(root, ["install", artifact]);
    } catch (error) {
      return String((error as { stderr: string }).stderr);
    }
    throw new Error("it was installed");
  }

  test.each(["none", "gzip", "lzma"])(
    "single-file, compressed with %s: installed, rolled back, committed",
    (compression) => {
      device();
      const artifact = singleFile("release-1", ["--compression", compression]);
      runUpkeep(root, ["install", artifact]);
      expect(readFileSync(join(destination, "motd"), "utf8")).toBe("hello from release-1\n");
      runUpkeep(root, ["rollback"]);
      expect(runUpkeep(root, ["show-artifact"])).toBe("unknown\n");
      runUpkeep(root, ["install", artifact]);
      runUpkeep(root, ["commit"]);
      expect(runUpkeep(root, ["show-provides"]).trim().split("\n").sort()).toEqual([
        "artifact_name=release-1",
        "rootfs-image.single-file.version=release-1",
      ]);
    },
  );

  test.each(Object.entries(KEYS))(
    "signed with %s: accepted with its key, refused with another, or with none",
    (_, make) => {
      const key = join(folder, "private.pem");
      const publicKey = join(root, "etc/mender/artifact.pem");
      execFileSync("openssl", [...make, "-out", key], { stdio: "pipe" });
      device({ ArtifactVerifyKey: "/etc/mender/artifact.pem" });
      execFileSync("openssl", ["pkey", "-in", key, "-pubout", "-out", publicKey], { stdio: "pipe" });
      const signed = singleFile("signed", ["--key", key]);
      runUpkeep(root, ["install", signed]);
      runUpkeep(root, ["commit"]);
      expect(readFileSync(join(destination, "motd"), "utf8")).toBe("hello from signed\n");

      expect(expectRefusal(singleFile("unsigned", []))).toContain("the artifact is not signed");
      const other = join(folder, "other.pem");
      execFileSync("openssl", [...make, "-out", other], { stdio: "pipe" });
      expect(expectRefusal(singleFile("by-another", ["--key", other]))).toMatch(/signature.*key/);
      expect(readFileSync(join(destination, "motd"), "utf8")).toBe("hello from signed\n");
      expect(runUpkeep(root, ["show-artifact"])).toBe("signed\n");
    },
  );

  // Debian's package has its generators among the examples, which minimal systems leave out.
  const generator = join(GENERATORS, "directory-artifact-gen");
  test.skipIf(!process.env.CI && !existsSync(generator))("directory, made by the peer's own generator", () => {
    device();
    const content = join(folder, "content");
    mkdirSync(content);
    writeFileSync(join(content, "index.html"), "<h1>new</h1>\n");
    const artifact = join(folder, "site.mender");
    const flags = ["-n", "site-1", "-t", DEVICE_TYPE, "-d", join(destination, "www"), "-o", artifact, content];
    const made = spawnSync("bash", [generator, ...flags], { encoding: "utf8" });
    expect(made.stdout + made.stderr).toContain("generated successfully");
    runUpkeep(root, ["install", artifact]);
    runUpkeep(root, ["commit"]);
    expect(readFileSync(join(destination, "www/index.html"), "utf8")).toBe("<h1>new</h1>\n");
  });

  test("script: it is run, and cannot be rolled back", () => {
    device();
    const script = join(folder, "hello.sh");
    writeFileSync(script, `#!/bin/sh\necho ran > ${join(destination, "ran")}\n`, { mode: 0o755 });
    const artifact = join(folder, "script.mender");
    const flags = ["-T", "script", "-n", "script-1", "-t", DEVICE_TYPE, "-f", script, "-o", artifact];
    execFileSync("mender-artifact", ["write", "module-image", ...flags], { stdio: "pipe" });
    runUpkeep(root, ["install", artifact]);
    expect(readFileSync(join(destination, "ran"), "utf8")).toBe("ran\n");
    expect(runUpkeep(root, ["show-artifact"])).toBe("script-1\n");
  });

  test("zstd, which the peer's version cannot write, from our own writer", () => {
    device();
    const script = join(folder, "hello.sh");
    writeFileSync(script, `#!/bin/sh\necho ran > ${join(destination, "ran")}\n`, { mode: 0o755 });
    const artifact = join(folder, "script.mender");
    const flags = ["-T", "script", "-n", "script-1", "-t", DEVICE_TYPE, "-f", script, "-o", artifact];
    runUpkeepServer(["artifact", "write", "module-image", ...flags, "--compression", "zstd"]);
    runUpkeep(root, ["install", artifact]);
    expect(existsSync(join(destination, "ran"))).toBe(true);
  });

  test("for another device type: refused, and nothing is changed", () => {
    device();
    writeFileSync(join(root, "var/lib/mender/device_type"), "device_type=another-board\n");
    expect(expectRefusal(singleFile("release-1", []))).toContain(
      `device_type: the artifact needs "${DEVICE_TYPE}", the device provides "another-board"`,
    );
    expect(existsSync(join(destination, "motd"))).toBe(false);
  });
});
