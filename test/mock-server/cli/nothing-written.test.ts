import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../agent/system/directory.ts";
import { chunked, readBack } from "../../shared/artifact/support.ts";

const ROOT = join(import.meta.dirname, "../../..");
/** As they are built. */
const PROGRAMS = { "mock-server": "mock-server/bin/upkeep-server.mjs", agent: "agent/bin/upkeep.cjs" } as const;
const directory = temporaryDirectory();

/** A program, run by a process of its own. */
function run(program: "mock-server" | "agent", ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, PROGRAMS[program]), ...args], {
    cwd: directory,
  });
  return { status, out: stdout, error: stderr.toString() };
}

writeFileSync(join(directory, "app.bin"), "content");
const MODULE_IMAGE = ["-n", "release-1", "-t", "board", "-T", "app", "-f", "app.bin"];
const WRITE = ["artifact", "write", "module-image", ...MODULE_IMAGE];

test("artifact write takes the version as mender-artifact does: 3, and nothing else", async () => {
  for (const flag of ["--version", "-v"]) {
    const { status, error } = run("mock-server", ...WRITE, "-o", "v3.mender", flag, "3");
    expect({ status, error }).toEqual({ status: 0, error: "" });
    expect(existsSync(join(directory, "v3.mender"))).toBe(true);
  }
  for (const version of [["--version", "2"], ["-v", "4"], ["--version"]]) {
    const { status, out, error } = run("mock-server", ...WRITE, "-o", "other.mender", ...version);
    expect({ status, out: out.toString() }).toEqual({ status: 1, out: "" });
    expect(error).toMatch(/version/);
    expect(existsSync(join(directory, "other.mender"))).toBe(false);
  }
});

test("-o - writes the artifact to standard output, and nothing else", async () => {
  const written = run("mock-server", ...WRITE, "-o", "-");
  expect(written.status).toBe(0);
  expect(written.error).toMatch(/^release-1, \d+ bytes\n$/);
  expect((await readBack(chunked(written.out))).header.artifactName).toBe("release-1");
  const json = run("mock-server", ...WRITE, "-o", "-", "--json");
  expect((await readBack(chunked(json.out))).header.artifactName).toBe("release-1");
  expect(JSON.parse(json.error)).toMatchObject({ path: "-", name: "release-1", size: json.out.length });

  writeFileSync(join(directory, "whole.mender"), written.out);
  spawnSync("openssl", ["genpkey", "-algorithm", "rsa", "-out", "key.pem"], { cwd: directory });
  const signed = run("mock-server", "artifact", "sign", "whole.mender", "-k", "key.pem", "-o", "-");
  expect([signed.status, signed.error]).toEqual([0, expect.stringMatching(/^signed, \d+ bytes\n$/)]);
  expect((await readBack(chunked(signed.out))).header.signature).toEqual({ state: "unchecked" });
  expect(readFileSync(join(directory, "whole.mender"))).toEqual(written.out);
  expect(readdirSync(directory)).not.toContain("-");
});

test.each([
  ["mock-server", ["backup", "--to", "copy", "--version"]],
  ["mock-server", ["restore", "--from", "copy", "--version"]],
  ["mock-server", ["artifact", "sign", "x.mender", "-k", "key.pem", "--version"]],
  ["mock-server", ["artifact", "read", "x.mender", "--version"]],
  ["mock-server", ["artifact", "validate", "x.mender", "--version=3"]],
  ["mock-server", ["artifact", "write", "nonsense"]],
  ["mock-server", ["artifact", "write"]],
  ["mock-server", ["artifact", "validate", "x.mender", "y.mender"]],
  ["mock-server", ["scenario", "run", "x.yaml", "--version"]],
  ["mock-server", ["fleet", "--version"]],
  ["mock-server", ["serve", "--version"]],
  ["agent", ["install", "x.mender", "--version"]],
  ["agent", ["install", "x.mender", "-v"]],
  ["agent", ["commit", "-v"]],
  ["agent", ["setup", "--device-type", "board", "--version"]],
  ["agent", ["bootstrap", "--version"]],
  ["agent", ["install", "x.mender", "y.mender"]],
] as const)("a command that did nothing does not end well: %s %j", (program, args) => {
  const { status, out, error } = run(program, ...args);
  expect({ status, out: out.toString() }).toEqual({ status: 1, out: "" });
  expect(error).toMatch(/version|Unknown|Say what|Too many|Which command/);
});

test("the version is told where nothing else is asked for", () => {
  for (const program of ["mock-server", "agent"] as const) {
    expect(run(program, "--version")).toMatchObject({ status: 0, error: "" });
    expect(run(program, "--help").out.toString()).toMatch(/--version/);
  }
});
