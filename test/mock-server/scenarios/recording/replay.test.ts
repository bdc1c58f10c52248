import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describePeer } from "../../../interop/peers.ts";
import { type Program, startProgram } from "../../../support/program.ts";
import { type RunningServer, startServer } from "../../../support/server.ts";
import { until } from "../../../support/waiting.ts";
import { type ClientName, recordSession, startClient } from "./session.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../../mock-server/bin/upkeep-server.mjs");
/** A session of the real mender-client 3.4 with our server, as recordSession makes it. */
const COMMITTED = join(import.meta.dirname, "sessions/mender-client.jsonl");

/** Several programs one after the other, on a machine that may be busy. */
const LIMIT_MS = 240_000;

let folder: string;
const running: { stop(): Promise<unknown> }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-recording-"));
  mkdirSync(join(folder, "device"));
});

afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
  rmSync(folder, { recursive: true, force: true });
});

function replay(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Program {
  const program = startProgram(process.execPath, [UPKEEP_SERVER, "scenario", "replay", ...args], { environment });
  running.push({ stop: () => program.stop("SIGKILL") });
  return program;
}

async function freshServer(): Promise<RunningServer> {
  const server = await startServer(mkdtempSync(join(folder, "fresh-")));
  running.push(server);
  return server;
}

/** The devices of a recording, played to a server that has never seen them, with somebody who manages them. */
function playDevices(path: string, server: RunningServer): Program {
  return replay([path, "--against", server.url, "--user", server.email], { UPKEEP_PASSWORD: server.password });
}

/** The server of a recording, played to a fresh device. */
async function playServer(path: string, client: ClientName): Promise<Program> {
  const program = replay([path, "--listen", "127.0.0.1:0", "--patience", "40s", "--json"]);
  const ready = await until("the player listens", () => program.stdout().match(/^\{"url".*\}$/m)?.[0], {
    explain: program.output,
  });
  const { url } = JSON.parse(ready) as { url: string };
  const place = mkdtempSync(join(folder, "fresh-"));
  mkdirSync(join(place, "device"));
  running.push(startClient(client, join(place, "device"), url));
  return program;
}

/** The recording with one line changed, and its artifacts. */
function changed(path: string, line: number, change: (text: string) => string): string {
  const lines = readFileSync(path, "utf8").split("\n");
  const before = lines[line - 1] ?? "";
  const after = change(before);
  expect(after).not.toBe(before);
  lines[line - 1] = after;
  const copy = join(folder, "changed.jsonl");
  writeFileSync(copy, lines.join("\n"));
  return copy;
}

/** What must not be in any recording. */
function expectNoSecrets(path: string): void {
  const text = readFileSync(path, "utf8");
  for (const secret of [
    /eyJ/,
    /BEGIN/,
    /x-men-signature/i,
    /x-men-expire/i,
    /authorization"/i,
    /127\.0\.0\.1/,
    /Bearer/,
  ]) {
    expect(text).not.toMatch(secret);
  }
  expect(text).not.toContain(`${tmpdir()}/`);
}

describe("a recording of our server and our agent", { timeout: LIMIT_MS }, () => {
  test("is played to a fresh agent, and to a fresh server: no difference; and it holds no secrets", async () => {
    const path = await recordSession("upkeep", folder);
    expectNoSecrets(path);
    const server = await freshServer();
    const devices = playDevices(path, server);
    expect(await devices.ended, devices.output()).toBe(0);
    expect(devices.stdout()).toMatch(/^no difference: \d+ exchanges of 1 device/);
    const player = await playServer(path, "upkeep");
    expect(await player.ended, player.output()).toBe(0);
    expect(player.stdout()).toContain('"difference":null');
  });
});

describePeer(["mender", "mender-artifact"], "a recording of our server and the real mender-client", () => {
  test("is played at once to a fresh server, and to a fresh client: no difference", { timeout: LIMIT_MS }, async () => {
    const path = await recordSession("mender-client", folder);
    expectNoSecrets(path);
    const devices = playDevices(path, await freshServer());
    expect(await devices.ended, devices.output()).toBe(0);
    const player = await playServer(path, "mender-client");
    expect(await player.ended, player.output()).toBe(0);
  });
});

describe("the committed recording of the real mender-client", { timeout: LIMIT_MS }, () => {
  test("holds no secrets, and its artifacts are what they are called", () => {
    expectNoSecrets(COMMITTED);
    const kept = `${COMMITTED}.artifacts`;
    for (const name of readdirSync(kept)) {
      expect(
        createHash("sha256")
          .update(readFileSync(join(kept, name)))
          .digest("hex"),
      ).toBe(name);
    }
  });

  test("is played to our server: no difference, and the server has the deployments that were recorded", async () => {
    const server = await freshServer();
    const program = playDevices(COMMITTED, server);
    expect(await program.ended, program.output()).toBe(0);
    const deployments = await server.management.json<{ artifact_name: string; statistics: unknown; id: string }[]>(
      "/api/management/v1/deployments/deployments",
    );
    const outcomes = await Promise.all(
      deployments.map(async ({ id, artifact_name }) => [artifact_name, await server.management.statistics(id)]),
    );
    expect(new Map(outcomes as [string, unknown][])).toEqual(
      new Map([
        ["release-1", expect.objectContaining({ success: 1, failure: 0 })],
        ["release-2", expect.objectContaining({ success: 0, failure: 1 })],
      ]),
    );
  });

  test("where the server answers otherwise, the first difference is told with its line, and the status is 1", async () => {
    const server = await freshServer();
    const unaccepted = replay([COMMITTED, "--against", server.url]);
    expect(await unaccepted.ended).toBe(1);
    expect(unaccepted.output()).toContain(
      `${COMMITTED}:4: d1, POST /api/devices/v1/authentication/auth_requests: status`,
    );
    expect(unaccepted.output()).toContain("  expected: 200\n  got:      401");
    const status = changed(COMMITTED, 7, (text) => text.replace('"status":204', '"status":200'));
    const credentials = { UPKEEP_PASSWORD: server.password };
    // Without the artifacts beside it, the release must be on the server already.
    for (const name of readdirSync(`${COMMITTED}.artifacts`)) {
      const upload = join(folder, `${name}.mender`);
      writeFileSync(upload, readFileSync(join(`${COMMITTED}.artifacts`, name)));
      await server.management.upload(upload);
    }
    const differs = replay([status, "--against", server.url, "--user", server.email, "--json"], credentials);
    expect(await differs.ended, differs.output()).toBe(1);
    expect(JSON.parse(differs.stdout())).toMatchObject({
      difference: { line: 7, where: "status", expected: "200", got: "204" },
    });
    const type = changed(COMMITTED, 6, (text) =>
      text.replace('compatible":["interop-board"]', 'compatible":["other"]'),
    );
    const offer = replay([type, "--against", (await freshServer()).url, "--patience", "1s", "--json"]);
    expect(await offer.ended).toBe(1);
  });
});

test("where a device says otherwise than the recording, that is told", { timeout: LIMIT_MS }, async () => {
  const path = await recordSession("upkeep", folder);
  const line =
    readFileSync(path, "utf8")
      .split("\n")
      .findIndex((text) => text.includes('"status":"success"')) + 1;
  const copy = changed(path, line, (text) => text.replace('"status":"success"', '"status":"failure"'));
  const kept = `${copy}.artifacts`;
  mkdirSync(kept);
  for (const name of readdirSync(`${path}.artifacts`)) {
    writeFileSync(join(kept, name), readFileSync(join(`${path}.artifacts`, name)));
  }
  const player = await playServer(copy, "upkeep");
  expect(await player.ended).toBe(1);
  const outcome = JSON.parse(player.stdout().trim().split("\n").at(-1) ?? "");
  expect(outcome.difference).toMatchObject({ line, where: "the request" });
  expect(outcome.difference.expected).toContain('{"status":"failure"}');
  expect(outcome.difference.got).toContain('{"status":"success"}');
});

describe("what is wrong with a replay is told in one line", () => {
  test.each([
    [[COMMITTED], "say which side is to be played"],
    [[COMMITTED, "--against", "http://x", "--listen", "127.0.0.1:0"], "say which side is to be played"],
    [["/none.jsonl", "--against", "http://x"], "/none.jsonl: there is no such file"],
    [[COMMITTED, "--against", "ftp://x"], '--against "ftp://x": must be a URL'],
    [[COMMITTED, "--listen", "here"], '--listen "here": must be HOST:PORT'],
  ])("%j", async (args, message) => {
    const program = replay(args);
    expect(await program.ended).toBe(1);
    expect(program.output()).toContain(`upkeep-server: ${message}`);
    expect(program.output().trim().split("\n")).toHaveLength(1);
  });

  test("artifacts that are not there, and a line that is none", async () => {
    const bare = changed(COMMITTED, 2, (text) => text.replace('"n":1,', '"n":1, '));
    const missing = replay([bare, "--listen", "127.0.0.1:0"]);
    expect(await missing.ended).toBe(1);
    expect(missing.output()).toContain("is not in");
    const broken = changed(COMMITTED, 3, (text) => text.replace('"took_ms":', '"took":'));
    const refused = replay([broken, "--against", "http://127.0.0.1:1"]);
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toMatch(/changed\.jsonl:3: took_ms: /);
  });
});
