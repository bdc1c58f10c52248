import { execFileSync } from "node:child_process";
import {
  existsSync,
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

const done = { exitCode: 0, stdout: "", stderr: "" };

function withPayload(target = "opt dir/-app"): ModuleUnderTest {
  const module = new ModuleUnderTest("directory");
  const source = module.path("source");
  mkdirSync(`${source}/deep`, { recursive: true, mode: 0o750 });
  writeFileSync(`${source}/file`, "new\n");
  writeFileSync(`${source}/deep/with blank`, "below\n", { mode: 0o755 });
  symlinkSync("file", `${source}/link`);
  execFileSync("tar", ["-cf", `${module.tree}/files/update.tar`, "-C", source, "."]);
  module.payload("dest_dir", `${module.path(target)}\n`);
  return module;
}

function withOldDirectory(): ModuleUnderTest {
  const module = withPayload();
  mkdirSync(module.path("opt dir/-app"), { recursive: true, mode: 0o700 });
  writeFileSync(module.path("opt dir/-app/file"), "old\n");
  writeFileSync(module.path("opt dir/-app/removed by the update"), "old\n");
  return module;
}

function isOld(module: ModuleUnderTest): boolean {
  return module.names("opt dir/-app").join() === "file,removed by the update";
}

function isNew(module: ModuleUnderTest): boolean {
  return module.names("opt dir/-app").join() === "deep,file,link";
}

describe("the shipped module directory", () => {
  it("answers as the protocol wants it", () => {
    const module = withPayload();
    expect(module.call("NeedsArtifactReboot")).toEqual({ ...done, stdout: "No\n" });
    expect(module.call("SupportsRollback")).toEqual({ ...done, stdout: "Yes\n" });
    for (const call of ["ProvidePayloadFileSizes", "Download", "ArtifactCommit", "Cleanup", "Unheard"]) {
      expect(module.call(call)).toEqual(done);
    }
  });

  it("puts a directory in place, with modes and links, and removes it in a rollback", () => {
    const module = withPayload();
    expect(module.call("ArtifactInstall")).toEqual(done);
    expect(isNew(module)).toBe(true);
    expect(statSync(module.path("opt dir/-app")).mode & 0o777).toBe(0o750);
    expect(statSync(module.path("opt dir/-app/deep/with blank")).mode & 0o777).toBe(0o755);
    expect(readlinkSync(module.path("opt dir/-app/link"))).toBe("file");
    expect(module.call("ArtifactRollback")).toEqual(done);
    expect(module.names("opt dir")).toEqual([]);
  });

  it("replaces a directory as a whole, and swaps back", () => {
    const module = withOldDirectory();
    expect(module.call("ArtifactInstall")).toEqual(done);
    expect(isNew(module)).toBe(true);
    for (let times = 0; times < 2; times += 1) {
      expect(module.call("ArtifactRollback")).toEqual(done);
      expect(isOld(module)).toBe(true);
      expect(statSync(module.path("opt dir/-app")).mode & 0o777).toBe(0o700);
    }
    expect(module.names("opt dir")).toEqual(["-app"]);
  });

  it("leaves only the new directory after the clean-up", () => {
    const module = withOldDirectory();
    for (const call of ["ArtifactInstall", "ArtifactCommit", "Cleanup"]) expect(module.call(call)).toEqual(done);
    expect(isNew(module)).toBe(true);
    expect(module.names("opt dir")).toEqual(["-app"]);
  });

  it("replaces a link to a directory and brings the link back", () => {
    const module = withPayload("opt dir/-app//");
    mkdirSync(module.path("opt dir"));
    mkdirSync(module.path("real"));
    writeFileSync(module.path("real/file"), "untouched\n");
    symlinkSync("../real", module.path("opt dir/-app"));
    expect(module.call("ArtifactInstall")).toEqual(done);
    expect(lstatSync(module.path("opt dir/-app")).isDirectory()).toBe(true);
    expect(module.call("ArtifactRollback")).toEqual(done);
    expect(readlinkSync(module.path("opt dir/-app"))).toBe("../real");
    expect(readFileSync(module.path("real/file"), "utf8")).toBe("untouched\n");
  });

  it("does nothing in a rollback or a clean-up when nothing was installed", () => {
    const module = withOldDirectory();
    for (const call of ["ArtifactRollback", "Cleanup"]) expect(module.call(call)).toEqual(done);
    expect(isOld(module)).toBe(true);
  });

  it("puts back what an earlier update left behind half-way", () => {
    const module = withOldDirectory();
    expect(module.cut("ArtifactInstall", "mv", 3, false)).toBe(true);
    expect(existsSync(module.path("opt dir/-app"))).toBe(false);
    expect(module.call("Cleanup").stderr).toContain("is put back");
    expect(isOld(module)).toBe(true);
    expect(module.names("opt dir")).toEqual(["-app"]);
  });

  it.each([
    ["dest_dir", undefined, "the payload has no file dest_dir"],
    ["update.tar", undefined, "the payload has no file update.tar"],
    ["dest_dir", "", "the payload's file dest_dir is empty"],
    ["dest_dir", "opt\n", "dest_dir is opt, but must be an absolute path"],
    ["dest_dir", "//\n", "dest_dir is /, which cannot be replaced"],
    ["dest_dir", "/tmp/..\n", "does not end in the name of a directory"],
  ])("refuses a payload whose %s is %j", (name, content, complaint) => {
    const module = withOldDirectory();
    if (content === undefined) module.removePayload(name);
    else module.payload(name, content);
    const result = module.call("ArtifactInstall");
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain(complaint);
    expect(isOld(module)).toBe(true);
    expect(module.names("opt dir")).toEqual(["-app"]);
  });

  it("keeps the old directory when the archive is broken, or a file is in the way", () => {
    const broken = withOldDirectory();
    broken.payload("update.tar", "this is no archive, and it is long enough for tar to notice".repeat(20));
    expect(broken.call("ArtifactInstall").exitCode).not.toBe(0);
    expect(isOld(broken)).toBe(true);
    expect(broken.names("opt dir")).toEqual(["-app"]);
    const file = withPayload("opt dir");
    writeFileSync(file.path("opt dir"), "a file\n");
    expect(file.call("ArtifactInstall").stderr).toContain("is not a directory");
    expect(readFileSync(file.path("opt dir"), "utf8")).toBe("a file\n");
  });

  it("is never left with half a directory, wherever it is cut off, and rolls back from there", () => {
    let cuts = 0;
    for (const program of ["mkdir", "tar", "mv", "sync", "rm"]) {
      for (const after of [false, true]) {
        for (let nth = 1; nth < 10; nth += 1) {
          const module = withOldDirectory();
          if (!module.cut("ArtifactInstall", program, nth, after)) break;
          cuts += 1;
          if (existsSync(module.path("opt dir/-app"))) expect(isOld(module) || isNew(module)).toBe(true);
          // The rollback may be cut off as well.
          module.cut("ArtifactRollback", "mv", 1, after);
          expect(module.call("ArtifactRollback")).toEqual(done);
          expect(isOld(module)).toBe(true);
          expect(module.names("opt dir")).toEqual(["-app"]);
        }
      }
    }
    expect(cuts).toBeGreaterThan(15);
  });
});
