import { replaceFile, type System } from "@upkeep/shared/system";

/** What the agent's process waits for when nothing more happens in it by itself. */
export interface AgentRest {
  readonly pid: number;
  /** The time that it knows, in milliseconds of the scenario. */
  readonly nowMs: number;
  /** Its open connections, its running programs, and other work that is not finished. */
  readonly sockets: number;
  readonly programs: number;
  readonly others: number;
  /** When its next timer is due; `null` without one. */
  readonly dueMs: number | null;
}

/** The time that an agent's process goes by. */
export interface AgentTime {
  /** Milliseconds of the scenario. */
  readonly nowMs: number;
  /** What the wall clock shows: milliseconds since the Unix epoch. */
  readonly wallMs: number;
}

/** Where the process tells how it rests, and the time that it begins with. */
export interface AgentClockStart extends AgentTime {
  /** URL, with the device's name as a parameter. */
  readonly hub: string;
  /** The uptime of the machine, in milliseconds; that of this machine if absent. */
  readonly upMs?: number;
}

/** Environment variable with an {@link AgentClockStart} as JSON. */
const START_VARIABLE = "UPKEEP_SCENARIO_CLOCK";
const MODULE = "/agent-clock.cjs";
/** The device's own file in place of the kernel's. */
const UPTIME = "/agent-clock-uptime";

/** Pause between two looks, and equal looks in a row after which the process rests; more while other work is unfinished. */
const LOOK_MS = 5;
const LOOKS = 4;
const LOOKS_BUSY = 25;

/**
 * Loaded into the agent's process before the agent: clocks and timers go by the scenario's time. The process asks the
 * runner for the time with a request that tells how it rests; the answer comes when there is a new time.
 */
const TEXT = `const fs = require("node:fs");
const http = require("node:http");
const { syncBuiltinESMExports } = require("node:module");
const net = require("node:net");
const { isMainThread } = require("node:worker_threads");
const { connect } = net.Socket.prototype;
const real = { setTimeout, clearTimeout, setInterval, clearInterval, Date };
const start = JSON.parse(process.env.${START_VARIABLE} ?? "null");

function setUptime(upMs) {
  const file = __dirname + "${UPTIME}";
  fs.writeFileSync(file, (upMs / 1000).toFixed(2) + " 0.00\\n");
  const { open } = fs;
  fs.open = (path, ...more) => open(path === "/proc/uptime" ? file : path, ...more);
  syncBuiltinESMExports();
}

function begin({ hub, nowMs, wallMs, upMs }) {
  if (upMs !== undefined) setUptime(upMs);
  const timers = new Set();
  // Pending timers keep a program alive.
  const keeper = real.setInterval(() => undefined, 2 ** 30);
  const keep = () => ([...timers].some((one) => one.keeps) ? keeper.ref() : keeper.unref());
  let order = 0;

  class ScenarioTimer {
    constructor(action, delayMs, args, everyMs) {
      Object.assign(this, { action, delayMs, args, everyMs, keeps: true });
      this.refresh();
    }
    refresh() {
      this.dueMs = nowMs + this.delayMs;
      this.order = order++;
      timers.add(this);
      keep();
      return this;
    }
    ref() { this.keeps = true; keep(); return this; }
    unref() { this.keeps = false; keep(); return this; }
    hasRef() { return this.keeps; }
    close() { timers.delete(this); keep(); return this; }
    [Symbol.toPrimitive]() { return this.order; }
    [Symbol.dispose ?? Symbol("dispose")]() { this.close(); }
  }

  globalThis.setTimeout = (action, delayMs, ...args) => {
    const ms = Number(delayMs) || 0;
    return ms > 0 ? new ScenarioTimer(action, ms, args, undefined) : real.setTimeout(action, 0, ...args);
  };
  globalThis.setInterval = (action, everyMs, ...args) => {
    const ms = Number(everyMs) || 1;
    return new ScenarioTimer(action, ms, args, ms);
  };
  const clear = (timer) => (timer instanceof ScenarioTimer ? timer.close() : real.clearTimeout(timer));
  globalThis.clearTimeout = clear;
  globalThis.clearInterval = clear;

  globalThis.Date = new Proxy(real.Date, {
    construct: (target, args, made) => Reflect.construct(target, args.length === 0 ? [wallMs] : args, made),
    apply: () => new real.Date(wallMs).toString(),
    get: (target, key) => (key === "now" ? () => wallMs : Reflect.get(target, key)),
  });
  process.hrtime = Object.assign(
    (since) => {
      const [seconds, nanoseconds] = [Math.floor(nowMs / 1000), (nowMs % 1000) * 1e6];
      if (since === undefined) return [seconds, nanoseconds];
      const left = nanoseconds - since[1];
      return left < 0 ? [seconds - since[0] - 1, left + 1e9] : [seconds - since[0], left];
    },
    { bigint: () => BigInt(Math.round(nowMs * 1e6)) },
  );

  const next = () => {
    let first;
    for (const one of timers)
      if (first === undefined || one.dueMs < first.dueMs || (one.dueMs === first.dueMs && one.order < first.order))
        first = one;
    return first;
  };
  const moveTo = (time) => {
    wallMs = time.wallMs - (time.nowMs - nowMs);
    for (let first = next(); first !== undefined && first.dueMs <= time.nowMs; first = next()) {
      const byMs = Math.max(0, first.dueMs - nowMs);
      nowMs += byMs;
      wallMs += byMs;
      if (first.everyMs === undefined) first.close();
      else first.refresh();
      first.action(...first.args);
    }
    ({ nowMs, wallMs } = time);
  };

  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = ({ host, port }) => {
    const socket = new net.Socket();
    // A fault that fails the agent's next connection must not fail this one.
    connect.call(socket, { host, port });
    return socket.unref();
  };
  const tell = (rest) => {
    const request = http.get(hub + "&about=" + encodeURIComponent(JSON.stringify(rest)), { agent }, (answer) => {
      let text = "";
      answer.on("data", (chunk) => { text += chunk; }).on("end", () => {
        moveTo(JSON.parse(text));
        look();
      });
    });
    request.on("socket", (socket) => socket.unref()).on("error", () => real.setTimeout(look, ${LOOK_MS}).unref());
  };
  const counted = () => {
    const all = process.getActiveResourcesInfo();
    const sockets = all.filter((name) => name === "TCPSocketWrap" || name === "TLSWrap").length;
    const programs = all.filter((name) => name === "ProcessWrap").length;
    const waits = all.filter((name) => ["Timeout", "Immediate", "PipeWrap", "TTYWrap"].includes(name)).length;
    return { sockets, programs, others: all.length - sockets - programs - waits };
  };
  const look = () => {
    let looks = 0;
    let before = "";
    const looking = real.setInterval(() => {
      const found = counted();
      const text = JSON.stringify(found);
      looks = text === before ? looks + 1 : 0;
      before = text;
      if (looks < (found.others === 0 ? ${LOOKS} : ${LOOKS_BUSY})) return;
      real.clearInterval(looking);
      const first = next();
      tell({ pid: process.pid, nowMs, ...found, dueMs: first === undefined ? null : Math.ceil(first.dueMs) });
    }, ${LOOK_MS}).unref();
  };
  keep();
  look();
}

if (start !== null && isMainThread) begin(start);
`;

/** Writes the module that Node loads before the agent. @param root The device's directory. */
export async function installAgentClock(files: System["files"], root: string): Promise<void> {
  await replaceFile(files, root + MODULE, TEXT);
}

/** Options of Node that load the module. */
export function agentClockOptions(root: string): readonly string[] {
  return ["--require", root + MODULE];
}

export function agentClockEnvironment(start: AgentClockStart): Readonly<Record<string, string>> {
  return { [START_VARIABLE]: JSON.stringify(start) };
}
