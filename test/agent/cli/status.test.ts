import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DeviceStatus } from "../../../agent/cli/status.ts";
import { describeStatus, span } from "../../../agent/cli/status-text.ts";
import { startAgent } from "../../support/agent.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { until } from "../../support/waiting.ts";
import { artifact, inTurn, json, SupportServer, silence, status } from "../support-server/server.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { copyArtifact, createDevice, UPKEEP } from "./device.ts";

const directory = temporaryDirectory();
const programs: Program[] = [];
let server: SupportServer;
let root: string;
let count = 0;

beforeEach(async () => {
  server = await SupportServer.start();
  root = join(directory, String(++count));
  createDevice(root, server.url);
});

afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop("SIGKILL");
  await server.stop();
});

/** The server answers from this process: nothing here may wait synchronously. */
async function run(...args: string[]): Promise<string> {
  const program = startProgram(process.execPath, [UPKEEP, "--root", root, ...args]);
  const code = await program.ended;
  if (code !== 0) throw new Error(`${args.join(" ")}: ${code}\n${program.output()}`);
  return program.stdout();
}

const ask = async (): Promise<DeviceStatus> => JSON.parse(await run("status", "--json"));

function start(): Program {
  const program = startAgent(root);
  programs.push(program);
  return program;
}

/** Until the status is as `fits` wants it. */
function statusThat(what: string, fits: (found: DeviceStatus) => boolean): Promise<DeviceStatus> {
  return until(what, async () => {
    const found = await ask();
    return fits(found) ? found : undefined;
  });
}

const record = (): string =>
  join(root, "run/upkeep", `${join(root, "var/lib/mender").slice(1).replaceAll("/", "-")}.json`);

describe("upkeep status", () => {
  it("tells of a device on which nothing runs yet", async () => {
    expect(await ask()).toEqual({
      version: expect.any(String),
      deviceType: "board",
      artifactName: "unknown",
      servers: [server.url],
      holder: null,
      daemon: null,
      update: null,
      lastUpdate: null,
    });
    const text = await run("status");
    expect(text).toContain(
      "Daemon        not running; 'systemctl start upkeep' starts it, unless upkeep.timer runs 'upkeep check'\n",
    );
    expect(text).toContain("Last update   none is known\n");
  });

  it("tells of a daemon that waits: when it polls next, and that the server answered", async () => {
    const agent = start();
    const found = await statusThat("the daemon waits", ({ daemon }) => daemon?.activity === "waiting");
    expect(found.daemon).toMatchObject({ pid: agent.child.pid, server: { fault: null }, update: null });
    const inMs = (found.daemon?.nextPollMs ?? 0) - (found.daemon?.updatedMs ?? 0);
    expect(inMs).toBeGreaterThan(900_000);
    expect(await run("status")).toMatch(/^Now {11}waiting for the next poll$/m);
    expect(await run("status")).toMatch(/^Next poll {5}in \d+ min, at 2/m);
    const before = readFileSync(record(), "utf8");
    await agent.stop();
    expect(before).toContain('"waiting"');
    expect(existsSync(record())).toBe(false);
    expect((await ask()).daemon).toBeNull();
  });

  it("tells why the server could not be asked", async () => {
    server.on(DEVICE_PATHS.authRequests, status(401));
    start();
    const found = await statusThat("the server refuses", ({ daemon }) => Boolean(daemon?.server?.fault));
    expect(found.daemon?.server?.fault).toContain("does not accept this device (yet)");
    expect(await run("status")).toContain("could not be asked");
  });

  it("tells what the server refuses, by its words, until it takes it", async () => {
    createDevice(root, server.url, { RetryPollIntervalSeconds: 1, InventoryPollIntervalSeconds: 1 });
    const refusal = (error: string) => status(400, JSON.stringify({ error }), { "content-type": "application/json" });
    let polls = refusal("device_provides.big: at most 4096 characters");
    server.on(DEVICE_PATHS.nextV2, (...asked) => polls(...asked));
    server.on(DEVICE_PATHS.inventory, refusal("attribute 3: the name must have 1 to 1024 characters"));
    start();
    const found = await statusThat("both are refused", ({ daemon }) => daemon?.refused.length === 2);
    expect(found.daemon?.server).toMatchObject({ fault: null });
    expect(found.daemon?.refused).toEqual([
      {
        what: "inventory",
        atMs: expect.any(Number),
        reason: "sending the inventory: the server answered 400: attribute 3: the name must have 1 to 1024 characters",
      },
      {
        what: "poll",
        atMs: expect.any(Number),
        reason: "asking for a deployment: the server answered 400: device_provides.big: at most 4096 characters",
      },
    ]);
    expect(await run("status")).toMatch(
      /^Refused {7}\d+ s ago: sending the inventory: .*\nRefused {7}\d+ s ago: asking for a deployment: the server answered 400: device_provides\.big: at most 4096 characters$/m,
    );
    expect(programs[0]?.output()).toContain("the server answered 400: device_provides.big: at most 4096 characters");
    polls = status(204);
    await run("check-update");
    const after = await statusThat("polls are taken", ({ daemon }) => daemon?.refused.length === 1);
    expect(after.daemon?.refused[0]?.what).toBe("inventory");
  });

  it("tells that the server refuses what is reported of a deployment", async () => {
    createDevice(root, server.url, { RetryPollIntervalSeconds: 1 });
    const instructions = { id: "d1", artifact: { source: { uri: `${server.url}/r2.mender` } } };
    server.on(DEVICE_PATHS.nextV2, inTurn(json(instructions), status(204)));
    server.on(DEVICE_PATHS.status("d1"), status(422, '{"error":"no such\\u001b[31m status"}'));
    start();
    const found = await statusThat("a report is refused", ({ daemon }) => daemon?.refused.length === 1);
    expect(found.daemon?.refused[0]).toMatchObject({
      what: "report",
      reason: expect.stringMatching(
        /^reporting (downloading|failure) for deployment d1: the server answered 422: no such \[31m status$/,
      ),
    });
  });

  it("tells how far a download is, and afterwards which deployment was the last", async () => {
    const bytes = await copyArtifact("r2", "x".repeat(3_000_000), "board");
    const instructions = { id: "d1", artifact: { artifact_name: "r2", source: { uri: `${server.url}/r2.mender` } } };
    server.on(DEVICE_PATHS.nextV2, inTurn(json(instructions), status(204)));
    // It stops in the middle, for as long as the test looks.
    server.on(
      "/r2.mender",
      inTurn((response, request, nth) => {
        if (request.headers.range !== undefined) return silence(response, request, nth);
        response.writeHead(200, { "content-length": bytes.length });
        response.write(bytes.subarray(0, 2_000_000));
      }, artifact(bytes)),
    );
    const agent = start();
    const found = await statusThat("bytes come in", ({ daemon }) => (daemon?.update?.receivedBytes ?? 0) > 0);
    expect(found).toMatchObject({
      daemon: { activity: "updating", update: { deployment: "d1", artifactName: "r2", state: "Download" } },
      update: { mode: "deployment", deployment: "d1", state: "Download", whereabouts: "downloading the artifact" },
    });
    expect(await run("status")).toMatch(
      /^Update {8}deployment d1, r2: downloading the artifact, \d+% \(\d\.\d of 2\.9 MiB\), for \d+ s$/m,
    );
    await agent.stop("SIGKILL");
    expect(await run("status")).toContain("an update has begun; the daemon, or 'upkeep check', goes on with it");
    start();
    const ended = await statusThat("it has ended", ({ lastUpdate }) => lastUpdate !== null);
    expect(ended.lastUpdate).toMatchObject({ mode: "deployment", deployment: "d1" });
  });

  it("tells what an update by hand waits for, and how the last one ended", async () => {
    const path = join(directory, "r1.mender");
    writeFileSync(path, await copyArtifact("r1", "one"));
    await run("install", path);
    expect(await run("status")).toContain(
      "no deployment can begin: an update installed by hand is waiting for a person to commit or roll back; 'upkeep commit' or 'upkeep rollback' decides\n",
    );
    await run("commit");
    expect((await ask()).lastUpdate).toMatchObject({ mode: "standalone", artifactName: "r1", status: "success" });
    expect(await run("status")).toMatch(/^Last update {3}by hand, r1: succeeded at 2.*Z, \d+ s ago$/m);
  });
});

describe("the text of a status", () => {
  it("gives lengths of time as a person says them", () => {
    const spans = [0, 119_000, 120_000, 7_100_000, 7_200_000, 172_700_000, 172_900_000].map(span);
    expect(spans).toEqual(["0 s", "119 s", "2 min", "118 min", "2 h", "2 days", "2 days"]);
  });

  it("says what failed, and that the device may be inconsistent", () => {
    const text = describeStatus(
      {
        version: "1",
        deviceType: null,
        artifactName: "r1_INCONSISTENT",
        servers: [],
        holder: { pid: 7, command: "install" },
        daemon: null,
        update: null,
        lastUpdate: {
          mode: "deployment",
          deployment: "d",
          artifactName: null,
          status: "failure",
          device: "unknown",
          failure: "it broke",
          endedMs: 0,
          transfer: { needed: 50 * 1024 ** 2, reused: 0, fetched: 51 * 1024 ** 2, plain: "chunk-wrong" },
        },
      },
      3_600_000,
    );
    expect(text).toContain(
      "Fetched       51.0 MiB for an artifact of 50.0 MiB, which was downloaded whole: chunk-wrong\n",
    );
    expect(text).toContain("Daemon        not running; upkeep install (process 7) is at work\n");
    expect(text).toContain("Device type   not known; see 'upkeep setup'\n");
    expect(text).toContain(
      "Last update   deployment d, artifact unknown: failed at 1970-01-01T00:00:00Z, 60 min ago: it broke; the device may be in an inconsistent state\n",
    );
  });
});
