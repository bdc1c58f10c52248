/**
 * `npm run bench:device`: what the agent costs a device that has nothing to do, beside a bare node process in the
 * same run: start-up time, resident memory, wake-ups and writes of an idle daemon. Prints ratios; `-- --json`
 * prints everything for programs. Exit status 1 if an aim is missed.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { createAgentRoot } from "../support/agent.ts";

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    /** Starts of each program. */
    starts: { type: "string", default: "15" },
    /** Seconds from the daemon's first poll until it counts as idle: its connections are closed by then. */
    settle: { type: "string", default: "20" },
    /** Seconds during which wake-ups and writes are counted. */
    window: { type: "string", default: "30" },
  },
});

function wholeNumber(name: "starts" | "settle" | "window"): number {
  const value = Number(options[name]);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name}: "${options[name]}" is no whole number above 0`);
  return value;
}
const [starts, settleSeconds, windowSeconds] = [wholeNumber("starts"), wholeNumber("settle"), wholeNumber("window")];

const upkeep = join(import.meta.dirname, "../../agent/dist/upkeep.cjs");
/** Aims: our share of what bare node takes. */
const AIMS = { startUp: 1.5, idleMemory: 1.25, wakeUpsIn5Minutes: 1, bytesWritten: 0 } as const;

const START = "upkeep --version";

/** Milliseconds from the start of a program to its end. */
function startOnce(args: readonly string[]): number {
  const from = performance.now();
  const { status } = spawnSync(process.execPath, args, { stdio: "ignore" });
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}`);
  return performance.now() - from;
}

/** The best of several starts of each, interleaved: those that the rest of the machine disturbed least. */
function measureStarts(programs: Readonly<Record<string, readonly string[]>>): Record<string, number> {
  const best: Record<string, number> = {};
  for (let count = 0; count < starts; count++) {
    for (const [name, args] of Object.entries(programs)) {
      best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, startOnce(args));
    }
  }
  return best;
}

const field = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? Number.NaN);

interface Idle {
  readonly residentKiB: number;
  /** Of all threads, each return from waiting. */
  readonly switches: number;
  /** Handed to write(2) and its like. */
  readonly bytesWritten: number;
}

function look({ pid }: ChildProcess): Idle {
  const threads = readdirSync(`/proc/${pid}/task`);
  const switches = threads.map((thread) =>
    field(readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8"), "voluntary_ctxt_switches"),
  );
  return {
    residentKiB: field(readFileSync(`/proc/${pid}/status`, "utf8"), "VmRSS"),
    switches: switches.reduce((sum, value) => sum + value, 0),
    bytesWritten: field(readFileSync(`/proc/${pid}/io`, "utf8"), "wchar"),
  };
}

/** Name and time of change of everything below `directory`. */
function changes(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => `${name} ${statSync(join(directory, name)).mtimeMs}`)
    .sort();
}

async function measureIdle(folder: string) {
  let onPoll: () => void = () => undefined;
  const firstPoll = new Promise<void>((resolve) => {
    onPoll = resolve;
  });
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      const polls = request.url === DEVICE_PATHS.nextV2;
      response.writeHead(polls ? 204 : 200).end(polls ? undefined : "token");
      if (polls) onPoll();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const serverUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  createAgentRoot(folder, {
    serverUrl,
    deviceType: "bench",
    identity: { mac: "00:11:22:33:44:55" },
    config: { UpdatePollIntervalSeconds: 1800, InventoryPollIntervalSeconds: 28_800, RetryPollIntervalSeconds: 300 },
  });
  const run = (args: readonly string[]) => spawn(process.execPath, args, { stdio: "ignore" });
  const daemon = run([upkeep, "--root", folder, "daemon"]);
  const bare = run(["-e", "setTimeout(() => {}, 2 ** 30)"]);
  try {
    await firstPoll;
    await sleep(settleSeconds * 1000);
    const files = changes(folder);
    const before = { upkeep: look(daemon), node: look(bare) };
    await sleep(windowSeconds * 1000);
    const after = { upkeep: look(daemon), node: look(bare) };
    const of = (name: "upkeep" | "node") => ({
      residentKiB: after[name].residentKiB,
      wakeUps: after[name].switches - before[name].switches,
      bytesWritten: after[name].bytesWritten - before[name].bytesWritten,
    });
    const filesChanged = changes(folder).filter((change) => !files.includes(change));
    return { upkeep: { ...of("upkeep"), filesChanged }, node: of("node") };
  } finally {
    daemon.kill("SIGKILL");
    bare.kill("SIGKILL");
    server.closeAllConnections();
    server.close();
  }
}

function say(line: string): void {
  if (!options.json) process.stdout.write(`${line}\n`);
}

const folder = mkdtempSync(join(tmpdir(), "upkeep-bench-"));
try {
  if (!existsSync(upkeep)) throw new Error("run npm run build first");
  const idle = await measureIdle(folder);
  const startMs = measureStarts({
    node: ["-e", "0"],
    [START]: [upkeep, "--version"],
    "upkeep show-artifact": [upkeep, "--root", folder, "show-artifact"],
  });
  const { node = Number.NaN } = startMs;
  const startUp = Object.fromEntries(
    Object.entries(startMs)
      .filter(([name]) => name !== "node")
      .map(([name, ms]) => [name, ms / node]),
  );
  const ratios = { startUp, idleMemory: idle.upkeep.residentKiB / idle.node.residentKiB };
  // A wake-up is one return of the main thread; a window shorter than five minutes may hold one by chance.
  const missed = [
    // Starting, and nothing else; the other commands do some work too.
    ...Object.entries(startUp).filter(([name, ratio]) => name === START && ratio > AIMS.startUp),
    ...(ratios.idleMemory > AIMS.idleMemory ? [["idle memory", ratios.idleMemory] as const] : []),
    ...(idle.upkeep.wakeUps > AIMS.wakeUpsIn5Minutes ? [["wake-ups", idle.upkeep.wakeUps] as const] : []),
    ...(idle.upkeep.bytesWritten > AIMS.bytesWritten ? [["bytes written", idle.upkeep.bytesWritten] as const] : []),
  ].map(([name]) => name);
  if (options.json) {
    const report = {
      node: process.version,
      starts,
      settleSeconds,
      windowSeconds,
      aims: AIMS,
      startMs,
      idle,
      ratios,
      missed,
    };
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  }
  const row = (name: string, ours: string, bare: string, ratio: string): void =>
    say(`${name.padEnd(24)}${ours.padStart(12)}${bare.padStart(12)}${ratio.padStart(8)}`);
  say(`An idle device, beside a bare node process. Node ${process.version}.`);
  row("", "upkeep", "bare node", "ratio");
  for (const [name, ratio] of Object.entries(startUp)) {
    row(name, `${startMs[name]?.toFixed(0)} ms`, `${node.toFixed(0)} ms`, ratio.toFixed(2));
  }
  const [ours, bare] = [idle.upkeep, idle.node];
  const mib = (kib: number): string => `${(kib / 1024).toFixed(1)} MiB`;
  row("memory, idle", mib(ours.residentKiB), mib(bare.residentKiB), ratios.idleMemory.toFixed(2));
  row(`wake-ups in ${windowSeconds} s`, String(ours.wakeUps), String(bare.wakeUps), "");
  row(`bytes written in ${windowSeconds} s`, String(ours.bytesWritten), String(bare.bytesWritten), "");
  say(missed.length === 0 ? "All aims are met." : `Aims missed: ${missed.join(", ")}.`);
  process.exitCode = missed.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
