import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type AgentRest,
  agentClockEnvironment,
  agentClockOptions,
  installAgentClock,
} from "../../../../mock-server/scenarios/real/agent-clock.ts";
import { openSystem } from "../../../../mock-server/system/index.ts";

const WALL_MS = Date.parse("2026-01-01T00:00:00Z");
const HOUR_MS = 3_600_000;

let root: string;
let hub: Server;
let program: ChildProcess | undefined;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "upkeep-agent-clock-"));
  hub = createServer();
  hub.listen(0, "127.0.0.1");
  await once(hub, "listening");
  await installAgentClock(openSystem().files, root);
});
afterEach(() => {
  program?.kill("SIGKILL");
  hub.closeAllConnections();
  hub.close();
  rmSync(root, { recursive: true, force: true });
});

/** Starts a program at the scenario's start. @returns Its standard output so far, when it has ended. */
function start(text: string, more: { readonly upMs?: number } = {}): Promise<string> {
  const { port } = hub.address() as AddressInfo;
  const time = { hub: `http://127.0.0.1:${port}/clock?device=d`, nowMs: 0, wallMs: WALL_MS, ...more };
  const child = spawn(process.execPath, [...agentClockOptions(root), "-e", text], {
    env: { ...process.env, ...agentClockEnvironment(time) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  program = child;
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += String(chunk);
  });
  return once(child, "close").then(() => out);
}

/** Waits for the next rest. */
async function rests(): Promise<{ readonly rest: AgentRest; readonly moveTo: (nowMs: number) => void }> {
  const [request, response] = (await once(hub, "request")) as [IncomingMessage, ServerResponse];
  const about = new URL(request.url ?? "", "http://hub").searchParams.get("about") ?? "";
  return {
    rest: JSON.parse(about) as AgentRest,
    moveTo: (nowMs) => response.end(JSON.stringify({ nowMs, wallMs: WALL_MS + nowMs })),
  };
}

test("timers and clocks go by the scenario's time, which stands still until the hub answers", async () => {
  const out = start(`
    const began = process.hrtime();
    setTimeout(() => console.log("hour", new Date().toISOString(), process.hrtime(began)[0]), ${HOUR_MS});
    const every = setInterval(() => {
      console.log("every", Date.now() - ${WALL_MS});
      if (Date.now() >= ${WALL_MS + 2 * HOUR_MS}) clearInterval(every);
    }, ${HOUR_MS / 2});
    clearTimeout(setTimeout(() => console.log("cleared"), 1000));
  `);
  const first = await rests();
  expect(first.rest).toEqual({
    pid: program?.pid,
    nowMs: 0,
    sockets: 0,
    programs: 0,
    others: 0,
    dueMs: HOUR_MS / 2,
  });
  first.moveTo(HOUR_MS / 2);
  const second = await rests();
  expect([second.rest.nowMs, second.rest.dueMs]).toEqual([HOUR_MS / 2, HOUR_MS]);
  second.moveTo(2 * HOUR_MS);
  expect((await out).split("\n")).toEqual([
    "every 1800000",
    "hour 2026-01-01T01:00:00.000Z 3600",
    "every 3600000",
    "every 5400000",
    "every 7200000",
    "",
  ]);
});

test("a program that runs, and a connection that is open, are told", async () => {
  void start(`
    setTimeout(() => undefined, ${HOUR_MS});
    require("node:child_process").spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "ignore"] });
    require("node:net").connect(${(hub.address() as AddressInfo).port}, "127.0.0.1");
  `);
  const { rest, moveTo } = await rests();
  expect(rest).toMatchObject({ programs: 1, sockets: 1 });
  moveTo(HOUR_MS);
});

test("the uptime is that of the device, for modules too", async () => {
  const text = `
    import * as fs from "node:fs";
    import { promisify } from "node:util";
    const open = promisify(fs.open);
    const file = await open("/proc/uptime", "r");
    console.log(fs.readFileSync(file, "utf8"));
  `;
  expect(
    await start(`import("data:text/javascript," + ${JSON.stringify(encodeURIComponent(text))})`, { upMs: 61_500 }),
  ).toBe("61.50 0.00\n\n");
});
