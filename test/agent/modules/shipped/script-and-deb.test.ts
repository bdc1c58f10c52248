import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { makePackage, privateDpkg } from "../../../support/dpkg.ts";
import { ModuleUnderTest } from "./work-tree.ts";

describe("the shipped module script", () => {
  it("needs no reboot and cannot roll back", () => {
    const module = new ModuleUnderTest("script");
    module.payload("a", "exit 1\n");
    for (const query of ["NeedsArtifactReboot", "SupportsRollback"]) expect(module.call(query).stdout).toBe("No\n");
    for (const call of ["Download", "ArtifactCommit", "ArtifactRollback", "ArtifactFailure", "Cleanup", "Unheard"]) {
      expect(module.call(call)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    }
  });

  it("runs the files in the order of their names, without arguments", () => {
    const module = new ModuleUnderTest("script");
    module.payload("20 second", '#!/bin/sh\necho "second of $# arguments" >&2; cat\n');
    module.payload("-first", "echo first\n");
    module.payload("30-python", "#!/usr/bin/python3\nprint('third')\n");
    const result = module.call("ArtifactInstall");
    expect(result).toEqual({ exitCode: 0, stdout: "first\nthird\n", stderr: "second of 0 arguments\n" });
  });

  it("stops at the first that fails, with its exit code", () => {
    const module = new ModuleUnderTest("script");
    module.payload("1", "exit 7\n");
    module.payload("2", "echo never\n");
    const result = module.call("ArtifactInstall");
    expect(result).toEqual({ exitCode: 7, stdout: "", stderr: "script: 1 failed with exit code 7\n" });
  });

  it("refuses a payload without a file", () => {
    const result = new ModuleUnderTest("script").call("ArtifactInstall");
    expect(result).toEqual({ exitCode: 1, stdout: "", stderr: "script: the payload has no file to run\n" });
  });
});

describe("the shipped module deb", () => {
  it("needs no reboot and cannot roll back", () => {
    const module = new ModuleUnderTest("deb");
    for (const query of ["NeedsArtifactReboot", "SupportsRollback"]) expect(module.call(query).stdout).toBe("No\n");
    expect(module.call("ArtifactRollback")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  it("installs all packages of the payload in one run, without a question", () => {
    const module = new ModuleUnderTest("deb");
    const { bin, called, installed } = privateDpkg(module.folder);
    for (const name of ["upkeep-test-a", "upkeep-test-b"])
      module.payload(`-${name}.deb`, readFileSync(makePackage(module.folder, name)));
    module.payload("notes.txt", "no package");
    expect(module.call("ArtifactInstall", bin)).toMatchObject({ exitCode: 0 });
    expect(installed()).toBe("upkeep-test-a 1.0 install ok installed\nupkeep-test-b 1.0 install ok installed\n");
    const words = readFileSync(called, "utf8").split("\n");
    expect(words.slice(0, 4)).toEqual(["noninteractive", "--force-confdef", "--force-confold", "-i"]);
  });

  it("unpacks none when one of them is broken", () => {
    const module = new ModuleUnderTest("deb");
    const { bin, called } = privateDpkg(module.folder);
    module.payload("a.deb", readFileSync(makePackage(module.folder, "upkeep-test-a")));
    module.payload("b.deb", "no package");
    const result = module.call("ArtifactInstall", bin);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain("deb: b.deb is not a Debian package");
    expect(existsSync(called)).toBe(false);
  });

  it("fails as dpkg fails", () => {
    const module = new ModuleUnderTest("deb");
    mkdirSync(module.path("bin"));
    writeFileSync(module.path("bin/dpkg"), "#!/bin/sh\necho no space left >&2; exit 2\n", { mode: 0o755 });
    module.payload("a.deb", readFileSync(makePackage(module.folder, "upkeep-test-a")));
    const result = module.call("ArtifactInstall", module.path("bin"));
    expect(result).toMatchObject({ exitCode: 2, stderr: "no space left\n" });
  });

  it("refuses a payload without a package", () => {
    const result = new ModuleUnderTest("deb").call("ArtifactInstall");
    expect(result).toEqual({ exitCode: 1, stdout: "", stderr: "deb: the payload has no file *.deb\n" });
  });
});
