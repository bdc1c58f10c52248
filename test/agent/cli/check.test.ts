import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AgentRoot } from "../../support/agent.ts";
import { startProgram } from "../../support/program.ts";
import { type Answer, artifact, hangUp, inTurn, json, SupportServer, status } from "../support-server/server.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { copyArtifact, createDevice, softwareOf, UPKEEP } from "./device.ts";

const directory = temporaryDirectory();
const EXIT = { done: 0, failure: 1, updateFailed: 3, unfinished: 5 } as const;
let server: SupportServer;
let root: string;
let count = 0;

beforeEach(async () => {
  server = await SupportServer.start();
  root = join(directory, String(++count));
  device();
});

afterEach(() => server.stop());

function device(config: AgentRoot["config"] = {}): void {
  createDevice(root, server.url, config);
  writeFileSync(join(root, "software"), "before");
}

/** Runs `upkeep check` to its end, while the server of this process answers. */
async function check(...args: readonly string[]): Promise<{ code: number | string; output: string }> {
  const program = startProgram(process.execPath, [UPKEEP, "--root", root, "check", ...args]);
  return { code: await program.ended, output: program.output() };
}

/** The server offers `content` as deployment d1, so often. */
function offer(content: Answer, times = 1): void {
  server.on("/r2.mender", content);
  const instructions = { id: "d1", artifact: { artifact_name: "r2", source: { uri: `${server.url}/r2.mender` } } };
  server.on(DEVICE_PATHS.nextV2, inTurn(...Array.from({ length: times }, () => json(instructions)), status(204)));
}

const reported = (): string[] =>
  server.seen(DEVICE_PATHS.status("d1")).map(({ body }) => (JSON.parse(body) as { status: string }).status);
const polls = (): number => server.seen(DEVICE_PATHS.nextV2).length;
const inventories = (): number => server.seen(DEVICE_PATHS.inventory).length;

describe("upkeep check", () => {
  it("asks once, sends the inventory once in its interval, and ends", async () => {
    expect(await check()).toMatchObject({ code: EXIT.done, output: expect.stringContaining("nothing to install") });
    expect([polls(), inventories()]).toEqual([1, 1]);
    expect((await check()).code).toBe(EXIT.done);
    expect([polls(), inventories()]).toEqual([2, 1]);
    rmSync(join(root, "var/lib/mender/upkeep-checks.json"));
    expect((await check()).code).toBe(EXIT.done);
    expect([polls(), inventories()]).toEqual([3, 2]);
  });

  it("installs what is offered, reports it, and tells the new inventory", async () => {
    offer(artifact(await copyArtifact("r2", "after")));
    expect((await check()).code).toBe(EXIT.done);
    expect(softwareOf(root)).toBe("after");
    expect(reported()).toEqual(["downloading", "installing", "installing", "success"]);
    expect(server.seen(DEVICE_PATHS.inventory).at(-1)?.body).toContain('{"name":"artifact_name","value":"r2"}');
  });

  it("says by its exit code that the update failed", async () => {
    offer(artifact(await copyArtifact("r2", "after", "other")));
    const { code, output } = await check();
    expect({ code, reported: reported() }).toEqual({ code: EXIT.updateFailed, reported: ["downloading", "failure"] });
    expect(output).toContain("is not for this device");
    expect(softwareOf(root)).toBe("before");
  });

  it("goes on with an update whose end the server could not be told", async () => {
    offer(artifact(await copyArtifact("r2", "after")));
    const taken = status(204);
    server.on(DEVICE_PATHS.status("d1"), inTurn(taken, taken, taken, hangUp));
    device({ RetryPollIntervalSeconds: 1, RetryPollCount: 1 });
    const { code, output } = await check();
    expect({ code, output }).toEqual({ code: EXIT.unfinished, output: expect.stringContaining("the next check") });
    server.on(DEVICE_PATHS.status("d1"), taken);
    expect((await check()).code).toBe(EXIT.done);
    expect(reported().at(-1)).toBe("success");
    expect(softwareOf(root)).toBe("after");
  });

  it.each([
    ["is not reached", hangUp],
    ["does not accept the device", status(401)],
  ])("leaves it to the next check if the server %s", async (_name, answer) => {
    server.on(DEVICE_PATHS.authRequests, answer);
    expect((await check()).code).toBe(EXIT.unfinished);
    server.on(DEVICE_PATHS.authRequests, status(200, "token"));
    expect((await check()).code).toBe(EXIT.done);
    expect([polls(), inventories()]).toEqual([1, 1]);
  });

  it("waits as long as a busy server asked for, unless a person asks", async () => {
    server.on(DEVICE_PATHS.nextV2, inTurn(status(429, "", { "retry-after": "3600" }), status(204)));
    expect((await check()).code).toBe(EXIT.unfinished);
    expect(await check()).toMatchObject({ code: EXIT.done, output: expect.stringContaining("asked to wait") });
    expect(polls()).toBe(1);
    expect((await check("--now")).code).toBe(EXIT.done);
    expect(polls()).toBe(2);
  });

  it("polls at the times of UpdatePollSchedule only, or when a person asks", async () => {
    device({ UpdatePollSchedule: "0 3 1 1 *" });
    expect((await check()).code).toBe(EXIT.done);
    expect([polls(), inventories()]).toEqual([0, 1]);
    expect((await check("--now")).code).toBe(EXIT.done);
    expect(polls()).toBe(1);
    // The time that was to come next has come.
    const record = join(root, "var/lib/mender/upkeep-checks.json");
    const kept = JSON.parse(readFileSync(record, "utf8")) as Record<string, unknown>;
    writeFileSync(record, JSON.stringify({ ...kept, nextPollMs: 1000 }));
    expect((await check()).code).toBe(EXIT.done);
    expect(polls()).toBe(2);
    expect((await check()).code).toBe(EXIT.done);
    expect(polls()).toBe(2);
  });

  it("installs nothing outside of InstallWindow", async () => {
    device({ InstallWindow: "0-10 3 1 1 *" });
    offer(artifact(await copyArtifact("r2", "after")), 5);
    expect(await check("--now")).toEqual({ code: EXIT.done, output: expect.stringContaining("waits for the window") });
    expect([softwareOf(root), reported()]).toEqual(["before", []]);
  });

  it("is refused beside a daemon, and on a device that is not set up", async () => {
    const daemon = startProgram(process.execPath, [UPKEEP, "--root", root, "daemon"]);
    await server.until(() => inventories() > 0);
    expect(await check()).toEqual({ code: EXIT.failure, output: expect.stringContaining("upkeep daemon (process") });
    await daemon.stop("SIGTERM");
    device({ ServerURL: undefined });
    expect(await check()).toEqual({ code: EXIT.failure, output: expect.stringContaining("not set up") });
  });

  it("ends at once when it is told to, and the next one goes on", async () => {
    const bytes = await copyArtifact("r2", "after");
    const half: Answer = (response) => {
      response.writeHead(200, { "content-length": bytes.length, etag: '"x"' }).write(bytes.subarray(0, 500));
    };
    offer(inTurn(half, artifact(bytes)), 2);
    const program = startProgram(process.execPath, [UPKEEP, "--root", root, "check"]);
    await server.until(() => server.seen("/r2.mender").length === 1);
    expect(await program.stop("SIGTERM")).toBe(EXIT.unfinished);
    expect((await check()).code).toBe(EXIT.done);
    expect(reported().at(-1)).toBe("success");
  });

  it("runs the Idle scripts around the check: leave before it asks, enter when it has done", async () => {
    const said = join(root, "said");
    const scripts = join(root, "etc/mender/scripts");
    mkdirSync(scripts, { recursive: true });
    writeFileSync(join(scripts, "version"), "3");
    for (const name of ["Idle_Leave_00", "Sync_Enter_00", "Sync_Leave_00", "Idle_Enter_00"])
      writeFileSync(join(scripts, name), `#!/bin/sh\necho ${name} >>${said}\n`, { mode: 0o755 });
    expect((await check()).code).toBe(EXIT.done);
    // The inventory, then the poll.
    const one = ["Idle_Leave_00", "Sync_Enter_00", "Sync_Leave_00", "Idle_Enter_00"];
    expect(readFileSync(said, "utf8").trim().split("\n")).toEqual([...one, ...one]);
  });
});
