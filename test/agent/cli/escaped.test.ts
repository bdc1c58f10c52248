import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { artifactOf } from "../../shared/artifact/support.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { createDevice, upkeep } from "./device.ts";

const root = join(temporaryDirectory(), "root");
/** As an agent before the limits has kept it. */
const CARRIED = { artifact_name: "r1\nartifact_name=forged", app: "1\nadmin=yes\u001b[2J", "k\u202e": "\u009b31m" };

beforeAll(() => {
  createDevice(root, "http://127.0.0.1:9");
  const datastore = join(root, "var/lib/mender");
  mkdirSync(datastore, { recursive: true });
  const content = { version: 1, provides: CARRIED, update: null };
  writeFileSync(join(datastore, "upkeep-store.json"), JSON.stringify(content));
});

describe("what an artifact once said", () => {
  it("is one line each, and moves no cursor", () => {
    expect(upkeep(root, "show-provides")).toMatchObject({
      code: 0,
      stdout: [
        "app=1\\nadmin=yes\\u001b[2J\n",
        "artifact_name=r1\\nartifact_name=forged\n",
        "k\\u202e=\\u009b31m\n",
      ].join(""),
    });
    expect(upkeep(root, "show-artifact")).toMatchObject({ code: 0, stdout: "r1\\nartifact_name=forged\n" });
    const lines = upkeep(root, "status").stdout.split("\n");
    expect(lines).toContainEqual(expect.stringMatching(/^Artifact +r1\\nartifact_name=forged$/));
    expect(JSON.parse(upkeep(root, "status", "--json").stdout).artifactName).toBe(CARRIED.artifact_name);
  });

  it("is refused by field before anything is installed, and the refusal is one line", async () => {
    const path = join(root, "forging.mender");
    writeFileSync(
      path,
      await artifactOf((parts) => {
        parts.headerInfo = parts.headerInfo.replace("release-1", "r2\\nCommitted r2.\\u001b[2J");
      }),
    );
    const { code, stdout, stderr } = upkeep(root, "install", path);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "Installing artifact...\n" });
    expect(stderr.split("\n")[0]).toMatch(
      /^upkeep: header-info: artifact_provides\.artifact_name must have no control/,
    );
    expect(stderr).not.toContain("\u001b");
    expect(readdirSync(root)).not.toContain("software");
  });
});
