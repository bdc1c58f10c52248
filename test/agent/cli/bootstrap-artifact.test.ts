import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import { startAgent } from "../../support/agent.ts";
import { artifactBytes } from "../support/artifacts.ts";
import { SupportServer } from "../support-server/server.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { copyArtifact, createDevice, softwareOf, upkeep } from "./device.ts";

const directory = temporaryDirectory();
let root: string;
let count = 0;

beforeEach(() => {
  root = join(directory, String(++count));
  createDevice(root, "http://127.0.0.1:9");
});

const bootstrapFile = (): string => join(root, "var/lib/mender/bootstrap.mender");

function bootstrapBytes(artifactName = "factory", deviceType = "board"): Promise<Buffer> {
  const provides = { "rootfs-image.version": "1" };
  return artifactBytes({ kind: "bootstrap", artifactName, deviceTypes: [deviceType], provides });
}

async function provide(artifactName?: string, deviceType?: string): Promise<void> {
  writeFileSync(bootstrapFile(), await bootstrapBytes(artifactName, deviceType));
}

describe("the bootstrap artifact", () => {
  it.each([
    ["show-artifact", "factory\n"],
    ["show-provides", "artifact_name=factory\nrootfs-image.version=1\n"],
  ])("says what is installed from the first %s on, and is removed", async (command, stdout) => {
    await provide();
    expect(upkeep(root, command)).toEqual({ code: 0, stdout, stderr: "" });
    expect(existsSync(bootstrapFile())).toBe(false);
    expect(upkeep(root, command).stdout).toBe(stdout);
  });

  it("counts before the first installation", async () => {
    await provide();
    const artifact = join(directory, "r1.mender");
    writeFileSync(artifact, await copyArtifact("r1", "one"));
    expect(upkeep(root, "install", artifact).code).toBe(0);
    expect(upkeep(root, "show-artifact").stdout).toBe("factory\n");
  });

  it("changes nothing once it is known what is installed, and is removed all the same", async () => {
    await provide();
    upkeep(root, "show-artifact");
    await provide("other");
    expect(upkeep(root, "show-artifact").stdout).toBe("factory\n");
    expect(existsSync(bootstrapFile())).toBe(false);
  });

  it("is refused by name when it has a payload, which nobody need have signed; and removed", async () => {
    writeFileSync(bootstrapFile(), await copyArtifact("sneaky", "bad"));
    expect(upkeep(root, "show-artifact")).toEqual({
      code: 1,
      stdout: "",
      stderr: `upkeep: the bootstrap artifact ${bootstrapFile()} was refused and removed: it has a payload of the type "copy", and a bootstrap artifact must have none\n`,
    });
    expect(softwareOf(root)).toBeUndefined();
    expect(upkeep(root, "show-artifact")).toMatchObject({ code: 0, stdout: "unknown\n" });
  });

  it("is what the daemon's first poll tells; one that is refused does not keep it from polling", async () => {
    for (const [name, told] of [
      ["factory", "factory"],
      ["sneaky", "unknown"],
    ] as const) {
      const server = await SupportServer.start();
      const device = join(directory, `daemon-${name}`);
      createDevice(device, server.url);
      const artifact = name === "factory" ? await bootstrapBytes() : await copyArtifact("sneaky", "bad");
      writeFileSync(join(device, "var/lib/mender/bootstrap.mender"), artifact);
      const agent = startAgent(device);
      try {
        await server.until(() => server.seen(DEVICE_PATHS.nextV2).length > 0);
        const [poll] = server.seen(DEVICE_PATHS.nextV2);
        expect(JSON.parse(poll?.body ?? "").device_provides.artifact_name).toBe(told);
        expect(existsSync(join(device, "var/lib/mender/bootstrap.mender"))).toBe(false);
        expect(agent.output().includes("bootstrap-refused")).toBe(name === "sneaky");
      } finally {
        await agent.stop();
        await server.stop();
      }
    }
  });

  it("is refused when it is for another device type, or no artifact at all", async () => {
    await provide("factory", "other");
    expect(upkeep(root, "show-artifact").stderr).toContain("is not for this device");
    writeFileSync(bootstrapFile(), "not an artifact");
    expect(upkeep(root, "show-artifact")).toMatchObject({ code: 1 });
    expect(existsSync(bootstrapFile())).toBe(false);
  });
});
