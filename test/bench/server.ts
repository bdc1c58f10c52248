/**
 * `npm run bench:server`: what the server does in a second, beside the least that could be done, in one run on one
 * machine. Prints ratios; `-- --markdown` prints the table of the README, `-- --json` everything for programs;
 * `-- --quick` takes a smaller fleet and less time, and says less.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { POSTGRES_MISSING, postgresPrograms, startPostgres } from "../mock-server/postgres/server.ts";
import { ManagementClient } from "../support/management.ts";
import { postgresCommits, sqliteCommits } from "./server/commits.ts";
import { type FleetDevice, makeFleet, RELEASE } from "./server/fleet.ts";
import { findNginx, startNginx } from "./server/peers.ts";
import { beginDownloads, beginLoad, download, load, type Running, startBare, startUpkeep } from "./server/processes.ts";
import { inventory, poll } from "./server/requests.ts";
import { measureStatuses } from "./server/statuses.ts";

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    devices: { type: "string" },
    seconds: { type: "string" },
    /** The artifact's size, in MiB. */
    size: { type: "string" },
  },
});
const devices = wholeNumber("devices", options.devices ?? (options.quick ? "20000" : "1000000"));
const seconds = wholeNumber("seconds", options.seconds ?? (options.quick ? "2" : "5"));
const sizeMiB = wholeNumber("size", options.size ?? (options.quick ? "64" : "256"));

const SMALL_FLEET = 1000;
const SAMPLE = 2000;
const CONNECTIONS = 32;
const SLOW_DOWNLOADS = 500;
const AIMS = {
  pollsBesideBare: 0.5,
  largeBesideSmall: 0.8,
  waitMsMax: 100,
  downloadBesideNginx: 0.7,
  pollsDuringDownloads: 0.8,
};
const UPKEEP_SERVER = join(import.meta.dirname, "../../mock-server/bin/upkeep-server.mjs");

interface Stoppable {
  stop(): Promise<void>;
}

const folder = mkdtempSync(join(tmpdir(), "upkeep-bench-"));
const running = new Set<Stoppable>();

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: "${text}" is no whole number above 0`);
  return value;
}

/** What was measured, what came of it, and how that compares. */
function say(what: string, figure: string, beside = ""): void {
  if (options.json) return;
  const line = options.markdown
    ? `| ${what} | ${figure} | ${beside} |`
    : (what.padEnd(64) + figure.padStart(12) + beside.padStart(32)).trimEnd();
  process.stdout.write(`${line}\n`);
}

/** What is no measure. */
function note(text: string): void {
  (options.json || options.markdown ? process.stderr : process.stdout).write(`${text}\n`);
}

const rate = (value: number): string => `${value.toFixed(0)}/s`;
const beside = (ratio: number, aim: number, what: string): string => `${ratio.toFixed(2)} of ${what} (aim ${aim})`;
const count = (value: number): string => value.toLocaleString("en");

async function started<T extends Stoppable>(starting: Promise<T>): Promise<T> {
  const one = await starting;
  running.add(one);
  return one;
}

async function stopped(...all: readonly Stoppable[]): Promise<void> {
  for (const one of all) {
    running.delete(one);
    await one.stop();
  }
}

function newData(): string {
  const data = mkdtempSync(join(folder, "data-"));
  mkdirSync(join(data, "artifacts"));
  return data;
}

async function loggedIn({ port, administrator }: Running): Promise<ManagementClient> {
  if (administrator === undefined) throw new Error("the server has an administrator already");
  return await ManagementClient.logIn(`http://127.0.0.1:${port}`, administrator.email, administrator.password);
}

/** Polls a second that are answered with "nothing for you". */
async function polls(port: number, fleet: readonly FleetDevice[]): Promise<number> {
  const order = { port, connections: CONNECTIONS, requests: fleet.map(poll) };
  // First without counting: programs compile what they run often, and each token is read for the first time.
  await load({ ...order, seconds: 2 });
  const { statuses, answers, perSecond } = await load({ ...order, seconds });
  if (statuses["204"] !== answers) throw new Error(`polls were answered ${JSON.stringify(statuses)}`);
  return perSecond;
}

async function measurePolls(): Promise<unknown> {
  const small = newData();
  const large = newData();
  const smallFleet = await makeFleet(small, SMALL_FLEET, SAMPLE);
  const largeFleet = await makeFleet(large, devices, SAMPLE);
  const bare = await started(startBare(folder));
  const smallServer = await started(startUpkeep(small));
  const largeServer = await started(startUpkeep(large));
  const bareRate = await polls(bare.port, smallFleet.idle);
  const smallRate = await polls(smallServer.port, smallFleet.idle);
  const largeRate = await polls(largeServer.port, largeFleet.idle);
  await stopped(bare, smallServer);
  const small1 = `${count(SMALL_FLEET)} devices`;
  say("requests to a bare node:http server that answers 204", rate(bareRate));
  say(
    `polls of ${small1}, nothing for them`,
    rate(smallRate),
    beside(smallRate / bareRate, AIMS.pollsBesideBare, "it"),
  );
  const large1 = `polls of ${count(devices)} devices, nothing for them`;
  say(large1, rate(largeRate), beside(largeRate / smallRate, AIMS.largeBesideSmall, small1));
  const creation = await measureCreation(largeServer, largeFleet.idle);
  await stopped(largeServer);
  return { bare: bareRate, small: smallRate, large: largeRate, creation };
}

/** A deployment to all devices is created while devices poll and send inventories: how long do they wait? */
async function measureCreation(server: Running, fleet: readonly FleetDevice[]): Promise<unknown> {
  const management = await loggedIn(server);
  const before = server.memory();
  const requests = [...fleet.slice(0, 100).map(inventory), ...fleet.slice(100, 200).map(poll)];
  const loading = await beginLoad({ port: server.port, connections: 2, requests });
  const start = performance.now();
  const body = { name: "all", artifact_name: RELEASE, all_devices: true };
  await management.call("POST", "/api/management/v1/deployments/deployments", body);
  const took = (performance.now() - start) / 1000;
  const { maxMs: maxWaitMs } = await loading.stop();
  const grownMiB = (server.memory().peakKiB - before.residentKiB) / 1024;
  say(`a deployment to ${count(devices)} devices is created`, `${took.toFixed(1)} s`, `+${grownMiB.toFixed(0)} MiB`);
  say("the longest that anybody waited meanwhile", `${maxWaitMs.toFixed(0)} ms`, `aim ${AIMS.waitMsMax} ms`);
  return { seconds: took, maxWaitMs, grownMiB };
}

async function measureCommits(artifact: string): Promise<unknown> {
  const alone = sqliteCommits(folder);
  const server = await started(startUpkeep(newData(), ["--auto-accept"]));
  const durable = await measureStatuses(server.port, await loggedIn(server), artifact);
  await stopped(server);
  say("commits, SQLite alone", rate(alone));
  say("durable statuses, SQLite", rate(durable), `${(durable / alone).toFixed(2)} of it`);
  const sqlite = { alone, durable };
  if (postgresPrograms() === undefined) {
    note(`Without PostgreSQL: ${POSTGRES_MISSING}.`);
    return { sqlite, postgres: null };
  }
  const postgres = await started(startPostgres({ durable: true }));
  const aloneThere = await postgresCommits(postgres.url);
  const onPostgres = await started(startUpkeep(newData(), ["--auto-accept", "--database", postgres.url]));
  const durableThere = await measureStatuses(onPostgres.port, await loggedIn(onPostgres), artifact);
  await stopped(onPostgres, postgres);
  say("commits, PostgreSQL alone, one connection", rate(aloneThere));
  say("durable statuses, PostgreSQL", rate(durableThere), `${(durableThere / aloneThere).toFixed(2)} of it`);
  return { sqlite, postgres: { alone: aloneThere, durable: durableThere } };
}

async function measureDownloads(artifact: string): Promise<unknown> {
  const data = newData();
  const fleet = await makeFleet(data, SMALL_FLEET, SAMPLE);
  const server = await started(startUpkeep(data));
  const management = await loggedIn(server);
  const loading = await beginLoad({ port: server.port, connections: 2, requests: fleet.idle.map(poll) });
  const id = await management.upload(artifact);
  const { maxMs: uploadWaitMs } = await loading.stop();
  say(`the longest that a poll waited during an upload of ${sizeMiB} MiB`, `${uploadWaitMs.toFixed(0)} ms`);
  const { uri } = await management.json<{ uri: string }>(`/api/management/v1/deployments/artifacts/${id}/download`);
  const throughput = async (url: string): Promise<number> => {
    const result = await download({ url, atOnce: 4, slowly: false });
    return result.bytes / 1024 / 1024 / result.seconds;
  };
  const ours = await throughput(uri);
  const program = findNginx();
  let nginx: number | null = null;
  if (program === undefined) note("Without nginx: apt-get install nginx-light.");
  else {
    const peer = await started(startNginx(program, folder));
    nginx = await throughput(`http://127.0.0.1:${peer.port}/artifact.mender`);
    await stopped(peer);
    say(`download of ${sizeMiB} MiB, 4 at once, nginx`, `${nginx.toFixed(0)} MiB/s`);
  }
  const ratio = nginx === null ? "" : beside(ours / nginx, AIMS.downloadBesideNginx, "nginx");
  say(`download of ${sizeMiB} MiB, 4 at once`, `${ours.toFixed(0)} MiB/s`, ratio);

  const alone = await polls(server.port, fleet.idle);
  const slow = await started(beginDownloads({ url: uri, atOnce: SLOW_DOWNLOADS, slowly: true }));
  const meanwhile = await polls(server.port, fleet.idle);
  await stopped(slow, server);
  say("polls, with nothing else going on", rate(alone));
  const part = beside(meanwhile / alone, AIMS.pollsDuringDownloads, "that");
  say(`polls, during ${SLOW_DOWNLOADS} slow downloads`, rate(meanwhile), part);
  return { uploadWaitMs, ours, nginx, pollsAlone: alone, pollsMeanwhile: meanwhile };
}

async function writeArtifact(): Promise<string> {
  const image = join(folder, "image");
  const artifact = join(folder, "artifact.mender");
  writeFileSync(image, Buffer.alloc(sizeMiB * 1024 * 1024, 0xa5));
  const flags = ["-T", "bench", "-n", "bench", "-t", "bench", "-f", image, "-o", artifact, "--compression", "none"];
  const child = spawn(process.execPath, [UPKEEP_SERVER, "artifact", "write", "module-image", ...flags], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [status] = (await once(child, "close")) as [number];
  if (status !== 0) throw new Error(`upkeep-server artifact write ended with ${status}`);
  return artifact;
}

try {
  if (!existsSync(join(import.meta.dirname, "../../mock-server/dist"))) throw new Error("run npm run build first");
  note(`Node ${process.version}. ${CONNECTIONS} connections, ${seconds} s each. The access log is on, in a file.`);
  if (options.markdown) process.stdout.write("| What | Figure | Beside |\n| --- | ---: | --- |\n");
  const artifact = await writeArtifact();
  const report = {
    node: process.version,
    devices,
    aims: AIMS,
    polls: await measurePolls(),
    commits: await measureCommits(artifact),
    downloads: await measureDownloads(artifact),
  };
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
} finally {
  for (const one of running) await one.stop();
  rmSync(folder, { recursive: true, force: true });
}
