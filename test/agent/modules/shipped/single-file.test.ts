import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { describe, expect, it } from "vitest";
import { ModuleUnderTest } from "./work-tree.ts";

function withPayload(name = "greeting", content = "new\n"): ModuleUnderTest {
  const module = new ModuleUnderTest("single-file");
  module.payload("dest_dir", `${module.path("etc dir")}\n`);
  module.payload("filename", `${name}\n`);
  module.payload("permissions", "640\n");
  module.payload(name, content);
  return module;
}

function withOldFile(): ModuleUnderTest {
  const module = withPayload();
  mkdirSync(module.path("etc dir"));
  writeFileSync(module.path("etc dir/greeting"), "old\n");
  chmodSync(module.path("etc dir/greeting"), 0o600);
  return module;
}

const done = { exitCode: 0, stdout: "", stderr: "" };

describe("the shipped module single-file", () => {
  it("answers as the protocol wants it", () => {
    const module = withPayload();
    expect(module.call("NeedsArtifactReboot")).toEqual({ ...done, stdout: "No\n" });
    expect(module.call("SupportsRollback")).toEqual({ ...done, stdout: "Yes\n" });
    for (const call of ["ProvidePayloadFileSizes", "Download", "ArtifactCommit", "Cleanup", "Unheard"]) {
      expect(module.call(call)).toEqual(done);
    }
  });

  it.each(["greeting", "with blanks", "-rf", "$(touch x)", "'", "*"])("installs a file named %s", (name) => {
    const module = withPayload(name);
    expect(module.call("ArtifactInstall")).toEqual(done);
    expect(readFileSync(module.path(`etc dir/${name}`), "utf8")).toBe("new\n");
    expect(statSync(module.path(`etc dir/${name}`)).mode & 0o7777).toBe(0o640);
    expect(module.names("etc dir")).toEqual([name]);
    expect(module.call("ArtifactRollback")).toEqual(done);
    expect(module.names("etc dir")).toEqual([]);
  });

  it("brings back the file that was there, with its mode, and again if asked again", () => {
    const module = withOldFile();
    module.call("ArtifactInstall");
    expect(readFileSync(module.path("etc dir/greeting"), "utf8")).toBe("new\n");
    for (let times = 0; times < 2; times += 1) {
      expect(module.call("ArtifactRollback")).toEqual(done);
      expect(readFileSync(module.path("etc dir/greeting"), "utf8")).toBe("old\n");
      expect(statSync(module.path("etc dir/greeting")).mode & 0o777).toBe(0o600);
    }
    expect(module.names("etc dir")).toEqual(["greeting"]);
  });

  it("replaces a link, not what it leads to, and brings the link back", () => {
    const module = withPayload();
    mkdirSync(module.path("etc dir"));
    writeFileSync(module.path("elsewhere"), "untouched\n");
    symlinkSync("../elsewhere", module.path("etc dir/greeting"));
    module.call("ArtifactInstall");
    expect(lstatSync(module.path("etc dir/greeting")).isFile()).toBe(true);
    expect(readFileSync(module.path("elsewhere"), "utf8")).toBe("untouched\n");
    module.call("ArtifactRollback");
    expect(readlinkSync(module.path("etc dir/greeting"))).toBe("../elsewhere");
  });

  it("does nothing in a rollback when nothing was installed", () => {
    const module = withOldFile();
    expect(module.call("ArtifactRollback")).toEqual(done);
    expect(readFileSync(module.path("etc dir/greeting"), "utf8")).toBe("old\n");
  });

  it.each([
    ["dest_dir", undefined, "the payload has no file dest_dir"],
    ["filename", undefined, "the payload has no file filename"],
    ["permissions", undefined, "the payload has no file permissions"],
    ["greeting", undefined, "the payload has no file greeting, which filename promises"],
    ["dest_dir", "", "the payload's file dest_dir is empty"],
    ["dest_dir", "etc\n", "dest_dir is etc, but must be an absolute path"],
    ["filename", "../greeting\n", "filename is ../greeting, but must be"],
    ["filename", "..\n", "filename is .., but must be"],
    ["permissions", "rw-r--r--\n", "permissions is rw-r--r--, but must be octal"],
  ])("refuses a payload whose %s is %j", (name, content, complaint) => {
    const module = withPayload();
    const old = module.path("etc dir/greeting");
    mkdirSync(module.path("etc dir"));
    writeFileSync(old, "old\n");
    if (content === undefined) module.removePayload(name);
    else module.payload(name, content);
    const result = module.call("ArtifactInstall");
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain(`single-file: ${complaint}`);
    expect(module.call("ArtifactRollback").exitCode).toBe(0);
    expect(readFileSync(old, "utf8")).toBe("old\n");
    expect(module.names("etc dir")).toEqual(["greeting"]);
  });

  it("refuses to replace a directory by a file", () => {
    const module = withPayload();
    mkdirSync(module.path("etc dir/greeting"), { recursive: true });
    expect(module.call("ArtifactInstall").stderr).toContain("is a directory");
    expect(module.names("etc dir/greeting")).toEqual([]);
  });

  it("leaves the old file or the new one, never half of one, wherever it is cut off, and rolls back from there", () => {
    let cuts = 0;
    for (const program of ["cp", "mv", "sync", "chmod"]) {
      for (const after of [false, true]) {
        for (let nth = 1; nth < 10; nth += 1) {
          const module = withOldFile();
          if (!module.cut("ArtifactInstall", program, nth, after)) break;
          cuts += 1;
          expect(["old\n", "new\n"]).toContain(readFileSync(module.path("etc dir/greeting"), "utf8"));
          expect(module.call("ArtifactRollback")).toEqual(done);
          expect(readFileSync(module.path("etc dir/greeting"), "utf8")).toBe("old\n");
          expect(module.names("etc dir")).toEqual(["greeting"]);
        }
      }
    }
    expect(cuts).toBeGreaterThan(15);
  });
});
