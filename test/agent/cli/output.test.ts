import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { loadContext } from "../../../agent/cli/context.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { copyArtifact, createDevice, UPKEEP, upkeep } from "./device.ts";

const directory = temporaryDirectory();
const ESCAPE = "\u001b";
let root: string;
let artifact: string;
let count = 0;

beforeEach(async () => {
  root = join(directory, String(++count));
  // An unknown key, so that there is a warning too.
  createDevice(root, "http://127.0.0.1:9", { NoSuchKey: 1 });
  writeFileSync(join(root, "software"), "before");
  artifact = join(root, "r1.mender");
  writeFileSync(artifact, await copyArtifact("r1", "after"));
});

/** Let the module speak, and fail, when it installs. */
function failingModule(): void {
  const module = join(root, "usr/share/mender/modules/v3/copy");
  writeFileSync(
    module,
    `#!/bin/sh
case "$1" in
  ArtifactInstall) echo copying; echo "no space left" >&2; exit 3 ;;
  SupportsRollback) echo Yes ;;
esac
`,
    { mode: 0o755 },
  );
}

/** Runs the built agent on a terminal. @returns What a person sees there. */
function onTerminal(environment: Readonly<Record<string, string>>, ...args: readonly string[]): string {
  const words = [process.execPath, UPKEEP, "--root", root, ...args].map((word) => `'${word}'`).join(" ");
  const { NO_COLOR: _, ...inherited } = process.env;
  const { stdout } = spawnSync("script", ["--quiet", "--return", "--command", words, "/dev/null"], {
    encoding: "utf8",
    env: { ...inherited, TERM: "xterm", ...environment },
    timeout: 50_000,
  });
  return stdout.replaceAll("\r\n", "\n");
}

describe("the output of an update by hand", () => {
  it("has what the update module said, also when it fails", () => {
    failingModule();
    const { code, stdout, stderr } = upkeep(root, "install", artifact);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "Installing artifact...\n" });
    const lines = stderr.trim().split("\n");
    expect(lines).toContain("update module copy ArtifactInstall: copying");
    expect(lines).toContain("update module copy ArtifactInstall: no space left");
    expect(lines.slice(-2)).toEqual([
      "upkeep: update module copy exited with code 3 in ArtifactInstall",
      "The device runs what it ran before.",
    ]);
  });

  it("is text without JSON and without escape sequences where it is no terminal", () => {
    const { code, stderr } = upkeep(root, "install", artifact);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning: .*mender\.conf: unknown key NoSuchKey is ignored\n$/);
    expect(upkeep(root, "show-artifact").stderr).toBe(stderr);
  });

  it("has nothing but JSON lines on standard error if they are asked for, the failure too", () => {
    failingModule();
    for (const args of [["install", artifact], ["commit"], ["bootstrap"]]) {
      const { stderr } = upkeep(root, "--log-format", "json", ...args);
      const lines = stderr.trim().split("\n");
      const events = lines.map((line) => JSON.parse(line) as { level: string; message: string });
      expect(events.at(-1)?.level, stderr).toBe("error");
    }
  });

  it("goes to a file if one is named", () => {
    failingModule();
    const log = join(root, "log");
    for (let run = 0; run < 2; run++) upkeep(root, "-L", log, "install", artifact);
    const text = readFileSync(log, "utf8");
    expect(text.match(/^\S+Z info update module copy ArtifactInstall: copying$/gm)).toHaveLength(2);
    const { code, stderr } = upkeep(root, "--log-file", join(root, "none/log"), "show-artifact");
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^upkeep: --log-file: \S+none\/log cannot be written: ENOENT/),
    });
  });
});

describe("the output on a terminal", () => {
  it("has lines of their own for the progress and for the log", () => {
    failingModule();
    const shown = onTerminal({}, "install", artifact);
    expect(shown).toContain(`${ESCAPE}[33mwarning:${ESCAPE}[0m `);
    expect(shown).toMatch(/\[#{40}\] 100% {2}0\.0 MiB\nupdate module copy ArtifactInstall: copying\n/);
    expect(shown).not.toMatch(/\{"level/);
  });

  it("has no colours for NO_COLOR, of a command and of the daemon", () => {
    expect(onTerminal({ NO_COLOR: "1" }, "install", artifact)).not.toContain(ESCAPE);
    // The key is wrong, so the daemon ends at once.
    writeFileSync(join(root, "etc/mender/mender.conf"), JSON.stringify({ NoSuchKey: 1, ArtifactVerifyKey: "/none" }));
    expect(onTerminal({}, "daemon")).toMatch(new RegExp(`^${ESCAPE}\\[90m[\\d:.]+${ESCAPE}\\[0m .*NoSuchKey`));
    expect(onTerminal({ NO_COLOR: "1" }, "daemon")).toMatch(/^[\d:.]+ warning .*NoSuchKey/);
  });
});

describe("the options of a Mender client", () => {
  it("set what is trusted for one call", async () => {
    const config = join(root, "etc/mender/mender.conf");
    writeFileSync(config, JSON.stringify({ ServerCertificate: "/configured.pem" }));
    const settings = async (globals: object) => (await loadContext({ root, ...globals }, { quiet: true })).config;
    expect(await settings({})).toMatchObject({ serverCertificate: join(root, "configured.pem"), skipVerify: false });
    expect(await settings({ trustedCerts: "/own.pem", skipverify: true })).toMatchObject({
      serverCertificate: "/own.pem",
      skipVerify: true,
    });
  });
});
