import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMPRESSORS } from "../../mock-server/releases/compression.ts";
import { copyArtifact, createDevice, softwareOf } from "../agent/cli/device.ts";
import { artifactBytes, sourceFile } from "../agent/support/artifacts.ts";
import { artifact, inTurn, json, SupportServer, status } from "../agent/support-server/server.ts";
import { temporaryDirectory } from "../agent/system/directory.ts";
import { describePeer } from "../interop/peers.ts";
import { HANG_MS } from "../support/patience.ts";
import { startProgram } from "../support/program.ts";

const TOP = join(import.meta.dirname, "../..");
const directory = temporaryDirectory();
const root = join(directory, "device");
const executable = join(directory, "upkeep");
let server: SupportServer;
let made: Made;

interface Made {
  readonly architecture: string;
  readonly depends: readonly string[];
  readonly licence: Buffer;
}

async function maker(): Promise<{ makeSingleExecutable(options: Readonly<Record<string, string>>): Promise<Made> }> {
  const script = join(TOP, "systemd/single-executable.mjs");
  return (await import(script)) as Awaited<ReturnType<typeof maker>>;
}

describePeer(["strip", "readelf"], "the agent as a single executable", () => {
  beforeAll(async () => {
    server = await SupportServer.start();
    const { makeSingleExecutable } = await maker();
    const program = readFileSync(join(TOP, "agent/dist/upkeep.cjs"), "utf8");
    made = await makeSingleExecutable({ program, node: process.execPath, target: executable });
    createDevice(root, server.url);
    writeFileSync(join(root, "software"), "before");
  }, HANG_MS);

  afterAll(() => server.stop());

  const run = async (...args: readonly string[]) => {
    const program = startProgram(executable, ["--root", root, ...args]);
    return { code: await program.ended, output: program.output() };
  };

  it("is of this machine, says its version, and needs no package of Node", () => {
    expect(made.architecture).toBe(execFileSync("dpkg", ["--print-architecture"], { encoding: "utf8" }).trim());
    expect(made.depends.join(" ")).not.toContain("node");
    expect(made.licence.toString()).toContain("Node.js");
    expect(spawnSync(executable, ["--version"], { encoding: "utf8" })).toMatchObject({ status: 0, stdout: "0.1.0\n" });
  });

  it("checks: logs in, installs what is offered, reports it", async () => {
    server.on("/r2.mender", artifact(await copyArtifact("r2", "after")));
    const instructions = { id: "d1", artifact: { artifact_name: "r2", source: { uri: `${server.url}/r2.mender` } } };
    server.on(DEVICE_PATHS.nextV2, inTurn(json(instructions), status(204)));
    expect(await run("check")).toMatchObject({ code: 0 });
    expect(softwareOf(root)).toBe("after");
    const reports = server.seen(DEVICE_PATHS.status("d1")).map(({ body }) => JSON.parse(body) as { status: string });
    expect(reports.at(-1)?.status).toBe("success");
  });

  it.each(["gzip", "xz", "zstd"] as const)("installs what is compressed with %s", async (compression) => {
    const path = join(directory, `${compression}.mender`);
    const files = [sourceFile("software", `by ${compression}\n`.repeat(50_000))];
    const about = { kind: "module-image", type: "copy", artifactName: compression, deviceTypes: ["board"] } as const;
    writeFileSync(path, await artifactBytes({ ...about, compression, files }, { compressors: COMPRESSORS }));
    expect(await run("install", path)).toMatchObject({ code: 0 });
    expect(softwareOf(root)).toBe(`by ${compression}\n`.repeat(50_000));
    expect(await run("commit")).toMatchObject({ code: 0 });
  });

  it("is what the update module rootfs-image runs, and daemon until SIGTERM", async () => {
    const module = join(TOP, "agent/modules/shipped/rootfs-image");
    const tree = join(directory, "tree");
    mkdirSync(tree);
    const answer = spawnSync("/bin/sh", [module, "SupportsRollback", tree], {
      encoding: "utf8",
      env: { PATH: "/nowhere", UPKEEP: executable },
    });
    expect(answer).toMatchObject({ status: 0, stdout: "Yes\n" });
    const polls = server.seen(DEVICE_PATHS.nextV2).length;
    const daemon = startProgram(executable, ["--root", root, "daemon"]);
    await server.until(() => server.seen(DEVICE_PATHS.nextV2).length > polls);
    expect(await daemon.stop("SIGTERM")).toBe(0);
  });
});

describe("a single executable", () => {
  it("is not made of what is no Node", async () => {
    const { makeSingleExecutable } = await maker();
    const text = join(directory, "text");
    writeFileSync(text, "no program".repeat(100));
    await expect(makeSingleExecutable({ program: "", node: text, target: executable })).rejects.toThrow(
      /is no program/,
    );
  });
});
