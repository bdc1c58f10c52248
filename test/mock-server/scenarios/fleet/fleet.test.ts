import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Program, startProgram } from "../../../support/program.ts";
import { type RunningServer, runUpkeepServer, startServer } from "../../../support/server.ts";
import { until } from "../../../support/waiting.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../../mock-server/bin/upkeep-server.mjs");
const QUICK = ["--poll", "1s..2s", "--start-over", "1s", "--install", "1s", "--reboot", "1s", "--json"];

let folder: string;
let server: RunningServer;
let fleet: Program | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-fleet-"));
  server = await startServer(join(folder, "server"));
});

afterEach(async () => {
  await fleet?.stop("SIGKILL");
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

function startFleet(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Program {
  fleet = startProgram(process.execPath, [UPKEEP_SERVER, "fleet", "--server", server.url, ...QUICK, ...args], {
    environment,
  });
  return fleet;
}

function makeRelease(name: string): string {
  const payload = join(folder, "payload");
  writeFileSync(payload, randomBytes(50_000));
  const path = join(folder, `${name}.mender`);
  runUpkeepServer([
    ...["artifact", "write", "module-image", "-T", "single-file", "-n", name],
    ...["-t", "board", "-t", "gateway", "-f", payload, "-o", path],
  ]);
  return path;
}

test("devices are let in, carry a deployment out, some fail with a log, and the figures agree with the server's", async () => {
  const { management } = server;
  await management.upload(makeRelease("release-2"));
  const args = ["--devices", "20", "--types", "board=1,gateway=1", "--failures", "50%", "--until", "updates=20"];
  const program = startFleet([...args, "--accept", "--user", server.email], { UPKEEP_PASSWORD: server.password });
  const devices = await until(
    "all devices are accepted",
    async () => {
      const all = (await management.devices()).filter(({ status }) => status === "accepted");
      return all.length === 20 ? all : undefined;
    },
    { explain: program.output },
  );
  expect(new Set(devices.map(({ identity_data }) => identity_data.fleet))).toEqual(new Set(["fleet"]));
  const deployment = await management.deploy(
    "release-2",
    devices.map(({ id }) => id),
  );
  expect(await program.ended, program.output()).toBe(0);
  const result = JSON.parse(program.stdout());
  const statistics = await management.statistics(deployment);
  expect(result.updates).toEqual({ begun: 20, succeeded: statistics.success, failed: statistics.failure, aborted: 0 });
  expect(statistics.success + statistics.failure).toBe(20);
  expect(statistics.failure).toBeGreaterThan(0);
  expect(result.exchanges.log.count).toBe(statistics.failure);
  expect(result.exchanges.poll.statuses["200"]).toBe(20);
  expect(result.devices.outside).toBe(0);
  expect(result.failures).toEqual([]);
  // 50 kB each, but for those that fail while they download.
  expect(result.downloadedBytes).toBeGreaterThan(statistics.success * 50_000);
});

test("the same seed brings back the same devices, and another one others", async () => {
  const credentials = { UPKEEP_PASSWORD: server.password };
  const args = ["--devices", "5", "--until", "in", "--accept", "--user", server.email];
  expect(await startFleet(args, credentials).ended, fleet?.output()).toBe(0);
  expect(await startFleet(args, credentials).ended, fleet?.output()).toBe(0);
  expect(await server.management.devices()).toHaveLength(5);
  expect(await startFleet([...args, "--seed", "other"], credentials).ended, fleet?.output()).toBe(0);
  expect(await server.management.devices()).toHaveLength(10);
});

test("devices that nobody accepts are a failure of the run, told in a line", async () => {
  const program = startFleet(["--devices", "3"]);
  const pending = await until(
    "the devices ask",
    async () => {
      const devices = await server.management.devices();
      return devices.length === 3 ? devices : undefined;
    },
    { explain: program.output },
  );
  expect(await program.stop("SIGTERM")).toBe(1);
  expect(program.output()).toContain("3 devices were never let in");
  expect(JSON.parse(program.stdout()).troubles.unauthorized.count).toBeGreaterThan(0);
  expect(pending.map(({ status }) => status)).toEqual(["pending", "pending", "pending"]);
  // Those who wait from an earlier time are accepted.
  const credentials = { UPKEEP_PASSWORD: server.password };
  const args = ["--devices", "3", "--until", "in", "--accept", "--user", server.email];
  expect(await startFleet(args, credentials).ended, fleet?.output()).toBe(0);
});

test("a server that fails is a failure of the run, and SIGINT ends it with the figures", async () => {
  const url = server.url;
  const program = startFleet(["--devices", "3"]);
  await until("the devices ask", async () => ((await server.management.devices()).length === 3 ? true : undefined), {
    explain: program.output,
  });
  await server.waitForOutput(/auth_requests.*401|401.*auth_requests/);
  await server.stop();
  const gone = startProgram(process.execPath, [
    UPKEEP_SERVER,
    "fleet",
    "--server",
    url,
    ...QUICK,
    "--devices",
    "1",
    "--duration",
    "4s",
  ]);
  expect(await gone.ended).toBe(1);
  expect(JSON.parse(gone.stdout()).connectionFaults.ECONNREFUSED).toBeGreaterThan(0);
  expect(await program.stop("SIGINT")).toBe(1);
  expect(JSON.parse(program.stdout()).exchanges.auth.statuses["401"]).toBeGreaterThan(0);
});

test("what is wrong on the command line is told in one line", () => {
  const failing = (args: readonly string[]): string => {
    try {
      execFileSync(process.execPath, [UPKEEP_SERVER, "fleet", ...args], { stdio: "pipe", encoding: "utf8" });
    } catch (error) {
      return (error as { stderr: string }).stderr;
    }
    return "";
  };
  expect(failing([])).toBe("upkeep-server: --server: say which server the devices are to ask\n");
  expect(failing(["--server", server.url, "--accept"])).toBe(
    "upkeep-server: --accept needs --user with a password, or UPKEEP_TOKEN\n",
  );
  expect(
    failing(["--server", server.url, "--accept", "--user", "nobody@example.com", "--password-file", "/none"]),
  ).toBe("upkeep-server: --password-file /none: there is no such file\n");
});
