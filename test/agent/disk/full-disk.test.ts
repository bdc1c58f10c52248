import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAgentRoot, startAgent } from "../../support/agent.ts";
import { canMount, fillBytes, fillInodes, mountExt4, mountTmpfs, remount, unmountAll } from "../../support/mounted.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { softwareOf, UPKEEP, upkeep } from "../cli/device.ts";
import { artifactBytes, sourceFile } from "../support/artifacts.ts";
import { artifact, json, SupportServer, status } from "../support-server/server.ts";
import { temporaryDirectory } from "../system/directory.ts";

const directory = temporaryDirectory();
const programs: Program[] = [];
let server: SupportServer;
let root: string;
let count = 0;

const data = (): string => join(root, "var/lib/mender");
const calls = (): string[] => readFileSync(join(root, "calls"), "utf8").trim().split("\n");

/** The module `greedy`: with the payload "greedy" it takes all bytes and inodes in ArtifactInstall, and fails. */
function greedyModule(): string {
  return [
    "#!/bin/sh",
    'call="$1"; tree="$2"',
    `echo "$call" >> "${root}/calls"`,
    `hoard="${data()}/hoard"`,
    'case "$call" in',
    "  SupportsRollback) echo Yes ;;",
    "  NeedsArtifactReboot) echo No ;;",
    "  ArtifactInstall)",
    '    if [ "$(cat "$tree/files/software")" != greedy ]; then cp "$tree/files/software" "' +
      root +
      '/software"; exit; fi',
    '    mkdir "$hoard"',
    '    i=0; while [ $i -lt 300 ] && true > "$hoard/$i" 2>/dev/null; do i=$((i+1)); done',
    '    cat /dev/zero > "$hoard/0" 2>/dev/null',
    '    cat /dev/zero > "$hoard/1" 2>/dev/null',
    "    exit 7 ;;",
    '  Cleanup) rm -rf "$hoard" ;;',
    "esac",
    "",
  ].join("\n");
}

function greedyArtifact(artifactName: string, content: string): Promise<Buffer> {
  return artifactBytes({
    kind: "module-image",
    type: "greedy",
    artifactName,
    deviceTypes: ["board"],
    files: [sourceFile("software", content)],
    compression: "none",
  });
}

const MOUNTS = {
  "a tmpfs": (path: string) => mountTmpfs(path, "size=1m,nr_inodes=250"),
  "an ext4 file system": (path: string) => mountExt4(path, 4, 256),
} as const;

const FILLS = { "to the last byte": fillBytes, "to the last inode": fillInodes } as const;

beforeEach(async () => {
  server = await SupportServer.start();
  root = join(directory, String(++count));
  mkdirSync(data(), { recursive: true });
});

afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop("SIGKILL");
  await server.stop();
  unmountAll();
});

function device(): void {
  createAgentRoot(root, {
    serverUrl: server.url,
    deviceType: "board",
    identity: { mac: "00:00:00:00:00:01" },
    modules: { greedy: greedyModule() },
    config: { RetryPollCount: 1000 },
  });
  writeFileSync(join(root, "software"), "before");
}

function start(): Program {
  const program = startAgent(root);
  programs.push(program);
  return program;
}

/** Offers deployment `id` until its final status is told. */
async function offer(id: string, content: string): Promise<void> {
  server.on(`/${id}.mender`, artifact(await greedyArtifact(id, content)));
  const instructions = { id, artifact: { artifact_name: id, source: { uri: `${server.url}/${id}.mender` } } };
  server.on(DEVICE_PATHS.nextV2, (response, request, nth) => {
    const over = /success|failure/.test(statusesOf(id).at(-1) ?? "");
    (over ? status(204) : json(instructions))(response, request, nth);
  });
}

const statusesOf = (id: string): string[] =>
  server.seen(DEVICE_PATHS.status(id)).map(({ body }) => (JSON.parse(body) as { status: string }).status);
const logOf = (id: string): string =>
  server
    .seen(DEVICE_PATHS.log(id))
    .map(({ body }) => body)
    .join("\n");

const told = (id: string, outcome: string) => server.until(() => statusesOf(id).at(-1) === outcome);
const failureOf = async (id: string): Promise<void> => {
  await told(id, "failure");
  await server.until(() => logOf(id) !== "");
};

async function bootstrap(): Promise<void> {
  const program = startProgram(process.execPath, [UPKEEP, "--root", root, "bootstrap"]);
  if ((await program.ended) !== 0) throw new Error(program.output());
}

describe.runIf(canMount())("a data directory that is full", () => {
  for (const [where, mount] of Object.entries(MOUNTS)) {
    it(`is left by an update that filled ${where} and failed, and the next update is taken`, async () => {
      mount(data());
      device();
      start();
      await offer("d1", "greedy");
      await failureOf("d1");
      expect(calls().slice(calls().indexOf("ArtifactInstall"))).toEqual([
        "ArtifactInstall",
        "SupportsRollback",
        "ArtifactRollback",
        "NeedsArtifactReboot",
        "ArtifactFailure",
        "Cleanup",
      ]);
      await offer("d2", "after");
      await told("d2", "success");
      expect(softwareOf(root)).toBe("after");
    });

    for (const [how, fill] of Object.entries(FILLS)) {
      it(`is told to the server by a daemon that starts with ${where} that is full ${how}`, async () => {
        mount(data());
        device();
        await bootstrap();
        const key = readFileSync(join(data(), "mender-agent.pem"), "utf8");
        const empty = fill(data());
        start();
        await offer("d1", "never");
        await failureOf("d1");
        expect(logOf("d1")).toMatch(/ENOSPC|no room for an update/);
        empty();
        await offer("d2", "after");
        await told("d2", "success");
        expect(softwareOf(root)).toBe("after");
        expect(readFileSync(join(data(), "mender-agent.pem"), "utf8")).toBe(key);
      });

      it(`is waited for by a daemon that has no key yet, with ${where} that is full ${how}`, async () => {
        mount(data());
        device();
        const empty = fill(data());
        const program = start();
        await untilOutput(program, "ENOSPC: no space left");
        empty();
        await offer("d1", "after");
        await told("d1", "success");
        expect(server.seen(DEVICE_PATHS.authRequests).map(({ body }) => JSON.parse(body).pubkey)).toSatisfy(
          (keys: string[]) => new Set(keys).size === 1,
        );
      });
    }
  }

  it("fails an update for which a little room is left before it calls the module", async () => {
    MOUNTS["an ext4 file system"](data());
    device();
    await bootstrap();
    fillBytes(data());
    truncateSync(join(data(), "filler"), statSync(join(data(), "filler")).size - 32 * 1024);
    start();
    await offer("d1", "never");
    await failureOf("d1");
    expect(logOf("d1")).toMatch(/no room for an update at .*: it takes 131072 bytes, \d+ are free/);
    expect(calls().filter((call) => /^(Download|ArtifactInstall)/.test(call))).toEqual([]);
  });

  it("makes 'upkeep install' fail: it says why, and the exit code is 1", async () => {
    MOUNTS["a tmpfs"](data());
    device();
    const file = join(root, "greedy.mender");
    writeFileSync(file, await greedyArtifact("r1", "greedy"));
    const { code, stdout, stderr } = upkeep(root, "install", file);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "Installing artifact...\n" });
    expect(stderr).toContain("upkeep: update module greedy exited with code 7 in ArtifactInstall\n");
    expect(stderr).toContain("The device runs what it ran before.\n");
    expect(calls().at(-1)).toBe("Cleanup");
    writeFileSync(file, await greedyArtifact("r2", "after"));
    expect(upkeep(root, "install", file)).toMatchObject({ code: 0, stderr: "" });
  });
});

describe.runIf(canMount())("a data directory that cannot be written", () => {
  it("is told to the server, and the next update is taken once it is writable again", async () => {
    MOUNTS["an ext4 file system"](data());
    device();
    await bootstrap();
    remount(data(), "ro");
    start();
    await offer("d1", "never");
    await failureOf("d1");
    expect(logOf("d1")).toContain("EROFS");
    expect(softwareOf(root)).toBe("before");
    remount(data(), "rw");
    await offer("d2", "after");
    await told("d2", "success");
    expect(softwareOf(root)).toBe("after");
  });
});

function untilOutput(program: Program, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (program.output().includes(text)) resolve();
    };
    program.child.stdout?.on("data", look);
    program.child.stderr?.on("data", look);
    void program.ended.then(() => reject(new Error(`it ended:\n${program.output()}`)));
    look();
  });
}
