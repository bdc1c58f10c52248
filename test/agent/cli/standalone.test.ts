import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { temporaryDirectory } from "../system/directory.ts";
import { copyArtifact, createDevice, softwareOf, upkeep } from "./device.ts";

const directory = temporaryDirectory();
let root: string;
let count = 0;

beforeEach(() => {
  root = join(directory, String(++count));
  createDevice(root, "http://127.0.0.1:9");
  writeFileSync(join(root, "software"), "before");
});

async function artifactFile(name: string, content: string): Promise<string> {
  const path = join(directory, `${name}.mender`);
  writeFileSync(path, await copyArtifact(name, content));
  return path;
}

function rewriteModule(from: string, to: string): void {
  const module = join(root, "usr/share/mender/modules/v3/copy");
  const script = readFileSync(module, "utf8");
  if (!script.includes(from)) throw new Error(`the module has no ${from}`);
  writeFileSync(module, script.replace(from, to));
}

describe("an update by hand, stopped and resumed", () => {
  it("stops where it is told to, once or several times, and goes on", async () => {
    const stop = ["--stop-before", "ArtifactInstall_Enter", "--stop-before=ArtifactCommit_Enter"];
    expect(upkeep(root, "install", ...stop, await artifactFile("r1", "one"))).toEqual({
      code: 0,
      stdout:
        "Installing artifact...\nThe update to r1 is stopped before ArtifactInstall_Enter.\nUse 'upkeep resume' to go on.\n",
      stderr: "",
    });
    expect(softwareOf(root)).toBe("before");
    expect(upkeep(root, "commit")).toEqual({
      code: 1,
      stdout: "",
      stderr:
        "upkeep: cannot commit the update to r1, which is stopped before ArtifactInstall_Enter; 'upkeep resume' goes on with it\n",
    });
    expect(upkeep(root, "resume").stdout).toContain("Installed r1, but not committed.\n");
    expect(softwareOf(root)).toBe("one");
    const { code, stdout } = upkeep(root, "resume", "--stop-before", "Cleanup");
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: "The update to r1 is stopped before Cleanup.\nUse 'upkeep resume' to go on.\n",
    });
    expect(upkeep(root, "resume").stdout).toBe("Committed r1.\n");
    expect(upkeep(root, "resume").code).toBe(2);
  });

  it("fails for a state that is not known, and says which are", async () => {
    const artifact = await artifactFile("r2", "two");
    const { code, stderr } = upkeep(root, "install", "--stop-before", "Download_Enter", artifact);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^upkeep: an update cannot be stopped before "Download_Enter", only before one of Artif.*\n$/,
    );
    expect(upkeep(root, "commit").code).toBe(2);
  });

  it("answers 4 when it is resumed to where a reboot is needed, if it is told to", async () => {
    rewriteModule("echo No", "echo Yes");
    const artifact = await artifactFile("r3", "three");
    expect(upkeep(root, "install", "--reboot-exit-code", "--stop-before", "ArtifactInstall_Enter", artifact).code).toBe(
      0,
    );
    expect(upkeep(root, "resume", "--reboot-exit-code").code).toBe(4);
    expect(upkeep(root, "commit").code).toBe(0);
  });

  it("is killed in the middle of the installation, and resumed by rolling back: 0, as with the reference client", async () => {
    rewriteModule('cp "$tree"/files/* "$destination" ;;', 'cp "$tree"/files/* "$destination"; kill -9 $PPID ;;');
    expect(upkeep(root, "install", await artifactFile("r4", "four")).code).toBeNull();
    expect(softwareOf(root)).toBe("four");
    expect(upkeep(root, "resume")).toEqual({ code: 0, stdout: "Rolled back r4.\n", stderr: "" });
    expect(softwareOf(root)).toBe("before");
    expect(upkeep(root, "resume").code).toBe(2);
  });

  it("is killed in the middle of the commit, and rolled back by the next one: 1", async () => {
    expect(upkeep(root, "install", await artifactFile("r5", "five")).code).toBe(0);
    rewriteModule("  SupportsRollback)", "  ArtifactCommit) kill -9 $PPID ;;\n  SupportsRollback)");
    expect(upkeep(root, "commit").code).toBeNull();
    const { code, stderr } = upkeep(root, "commit");
    expect(code).toBe(1);
    expect(stderr).toBe(
      "upkeep: the agent was interrupted while committing the artifact\nThe device runs what it ran before.\n",
    );
    expect(softwareOf(root)).toBe("before");
  });

  it("that failed and was stopped is told once: what is left to do succeeds", async () => {
    rewriteModule('cp "$tree"/files/* "$destination" ;;', "exit 7 ;;");
    const artifact = await artifactFile("r6", "six");
    const stopped = upkeep(root, "install", "--stop-before", "ArtifactRollback_Enter", artifact);
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toContain("\nupkeep: update module copy exited with code 7 in ArtifactInstall\n");
    expect(upkeep(root, "rollback")).toEqual({ code: 0, stdout: "Rolled back r6.\n", stderr: "" });
  });
});
