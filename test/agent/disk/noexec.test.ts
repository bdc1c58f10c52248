import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAgentRoot } from "../../support/agent.ts";
import { canMount, mountTmpfs, unmountAll } from "../../support/mounted.ts";
import { copyModule, softwareOf, upkeep } from "../cli/device.ts";
import { artifactBytes, sourceFile } from "../support/artifacts.ts";
import { temporaryDirectory } from "../system/directory.ts";

const directory = temporaryDirectory();
const AFTER = "after";
let root: string;
let count = 0;

beforeEach(() => {
  root = join(directory, String(++count));
  mkdirSync(join(root, "var/lib/mender"), { recursive: true });
  mountTmpfs(join(root, "var/lib/mender"), "size=2m,noexec");
});

afterEach(unmountAll);

function device(config: Readonly<Record<string, unknown>>): void {
  createAgentRoot(root, {
    serverUrl: "http://127.0.0.1:9",
    deviceType: "board",
    identity: { mac: "00:00:00:00:00:01" },
    modules: {
      copy: copyModule(join(root, "software")),
      script: readFileSync(join(import.meta.dirname, "../../../agent/modules/shipped/script"), "utf8"),
    },
    config,
  });
  writeFileSync(join(root, "software"), "before");
}

/** An artifact whose state script is `script`. */
async function artifactWith(script: string, type = "copy", content = AFTER): Promise<string> {
  const file = join(root, "r1.mender");
  writeFileSync(
    file,
    await artifactBytes({
      kind: "module-image",
      type,
      artifactName: "r1",
      deviceTypes: ["board"],
      files: [sourceFile("software", content)],
      scripts: [{ name: "ArtifactInstall_Enter_01", content: Buffer.from(script) }],
      compression: "none",
    }),
  );
  return file;
}

describe.runIf(canMount())("a data directory on a file system that is mounted noexec", () => {
  it("stops an update whose state script cannot be run there, and says why", async () => {
    device({});
    const { code, stderr } = upkeep(root, "install", await artifactWith("#!/bin/sh\nexit 1\n"));
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /state script ArtifactInstall_Enter_01 cannot be started: .*EACCES, although it is executable: its file system may be mounted noexec \(see the key NoexecPrograms\)/,
    );
    expect(softwareOf(root)).not.toBe(AFTER);
  });

  it("runs scripts through their interpreter if the configuration says so", async () => {
    device({ NoexecPrograms: "interpreter" });
    const refused = upkeep(root, "install", await artifactWith(`#!/bin/sh -e\necho ran > ${root}/ran\nexit 3\n`));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("state script ArtifactInstall_Enter_01 exited with code 3");
    expect(readFileSync(join(root, "ran"), "utf8")).toBe("ran\n");
    expect(softwareOf(root)).not.toBe(AFTER);
    expect(upkeep(root, "install", await artifactWith("#!/bin/sh\nexit 0\n"))).toMatchObject({ code: 0, stderr: "" });
    expect(softwareOf(root)).toBe(AFTER);
  });

  it("still stops an update whose state script has no interpreter", async () => {
    device({ NoexecPrograms: "interpreter" });
    const { code, stderr } = upkeep(root, "install", await artifactWith("\x7fELF and so on"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/state script ArtifactInstall_Enter_01 cannot be started: .*EACCES/);
    expect(softwareOf(root)).not.toBe(AFTER);
  });

  it("has the programs of a payload of type script fail or run likewise", async () => {
    device({});
    const payload = `#!/bin/sh\necho after > ${root}/software\n`;
    const failed = upkeep(root, "install", await artifactWith("#!/bin/sh\n", "script", payload));
    expect(failed.code).toBe(1);
    expect(softwareOf(root)).not.toBe(AFTER);
    device({ NoexecPrograms: "interpreter" });
    const done = upkeep(root, "install", await artifactWith("#!/bin/sh\n", "script", payload));
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(softwareOf(root)).toBe(`${AFTER}\n`);
  });
});
