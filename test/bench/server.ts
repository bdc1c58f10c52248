/**
 * `npm run bench:server`: what the server does in a second, beside the least that could be done, in one run on one
 * machine. What is compared is measured in turn, round after round; printed are the medians, and from where to where
 * the ratios went. Ends with 1 if one of the aims is missed. `-- --markdown` prints the table of mock-server/README.md,
 * `-- --json` everything for programs; `-- --quick` takes a smaller fleet and less time, and says less; `-- --only
 * uploads` measures one part alone; `-- --postgres` measures one and two servers on one PostgreSQL, also with a way to
 * it of 2 ms and back.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { POSTGRES_MISSING, postgresPrograms, startPostgres } from "../mock-server/postgres/server.ts";
import { ManagementClient } from "../support/management.ts";
import { processorMsOf } from "../support/processor-time.ts";
import { until } from "../support/waiting.ts";
import { postgresCommits, sqliteCommits } from "./server/commits.ts";
import { Costs } from "./server/costs.ts";
import { type FleetDevice, makeFleet, RELEASE } from "./server/fleet.ts";
import type { LoadTarget } from "./server/load.ts";
import { watchTransactions } from "./server/oldest-transaction.ts";
import { findNginx, startNginx } from "./server/peers.ts";
import {
  beginDownloads,
  beginLoad,
  download,
  load,
  loadInTurn,
  type Running,
  startBare,
  startUpkeep,
} from "./server/processes.ts";
import { Report } from "./server/report.ts";
import { inventory, poll } from "./server/requests.ts";
import { compare, inRounds, inTurn, median, type Rounds } from "./server/rounds.ts";
import { Reporters } from "./server/statuses.ts";
import { SlowProxy } from "./slow-proxy.ts";

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    /** One part of it alone: {@link PARTS}. */
    only: { type: "string" },
    /** The same as `--only postgres`. */
    postgres: { type: "boolean", default: false },
    devices: { type: "string" },
    rounds: { type: "string" },
    /** How long a round measures each thing. */
    seconds: { type: "string" },
    /** The artifact's size, in MiB. */
    size: { type: "string" },
  },
});
const PARTS = ["polls", "statuses", "uploads", "downloads", "postgres"] as const;
if (options.postgres) options.only = "postgres";
if (options.only !== undefined && !PARTS.some((part) => part === options.only)) {
  throw new RangeError(`--only ${options.only}: must be one of ${PARTS.join(", ")}`);
}
const isWanted = (part: (typeof PARTS)[number]): boolean => (options.only ?? part) === part;
const devices = wholeNumber("devices", options.devices ?? (options.quick ? "20000" : "1000000"));
const rounds = wholeNumber("rounds", options.rounds ?? (options.quick ? "3" : "9"));
const seconds = wholeNumber("seconds", options.seconds ?? (options.quick ? "1" : "2"));
const sizeMiB = wholeNumber("size", options.size ?? (options.quick ? "64" : "256"));

const SMALL_FLEET = 1000;
const SAMPLE = 2000;
const CONNECTIONS = 32;
/** Devices that report at the same time, in the measurement of several servers. */
const IN_FLIGHT = 200;
const WARM_UP_S = 2;
const SLOW_DOWNLOADS = 500;
/** A server that takes less than a tenth of the time for so long has nothing to do. */
const CALM_MS = 500;
const AIMS = {
  pollsBesideBare: { aim: 0.5 },
  largeBesideSmall: { aim: 0.8 },
  waitMs: { aim: 100, isAtMost: true },
  downloadBesideNginx: { aim: 0.7 },
  pollsDuringDownloads: { aim: 0.8 },
  transactionMs: { aim: 1000, isAtMost: true },
} as const;
const COMPRESSIONS = ["none", "gzip", "xz", "zstd"] as const;
const UPKEEP_SERVER = join(import.meta.dirname, "../../mock-server/bin/upkeep-server.mjs");

interface Stoppable {
  stop(): Promise<void>;
}

const folder = mkdtempSync(join(tmpdir(), "upkeep-bench-"));
const running = new Set<Stoppable>();
const report = new Report(options.json ? "json" : options.markdown ? "markdown" : "text");

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: "${text}" is no whole number above 0`);
  return value;
}

const rate = (measured: Rounds): string => `${median(measured).toFixed(0)}/s`;
const throughput = (measured: Rounds): string => `${median(measured).toFixed(0)} MiB/s`;
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

/** Polls a second that each server answers with "nothing for you", asked in turn. */
async function polls<Name extends string>(
  targets: Readonly<Record<Name, LoadTarget>>,
  forSeconds = seconds,
): Promise<Record<Name, number>> {
  const names = Object.keys(targets) as Name[];
  const asked = names.map((name) => targets[name]);
  const results = await loadInTurn({ targets: asked, connections: CONNECTIONS, seconds: forSeconds });
  const perSecond = results.map((result): number => {
    if (result.statuses["204"] !== result.answers) throw new Error(`answered ${JSON.stringify(result.statuses)}`);
    return result.perSecond;
  });
  return Object.fromEntries(names.map((name, index) => [name, perSecond[index]])) as Record<Name, number>;
}

const pollsOf = ({ port }: Running, fleet: readonly FleetDevice[]): LoadTarget => ({ port, requests: fleet.map(poll) });

/** Programs compile what they run often, and the server reads each token for the first time once. */
async function warmUp(target: LoadTarget): Promise<void> {
  await load(target, { connections: CONNECTIONS, seconds: WARM_UP_S });
}

async function measurePolls(): Promise<unknown> {
  const small = newData();
  const large = newData();
  const smallFleet = await makeFleet(small, SMALL_FLEET, SAMPLE);
  const largeFleet = await makeFleet(large, devices, SAMPLE);
  const bare = await started(startBare(folder));
  const smallServer = await started(startUpkeep(small));
  const largeServer = await started(startUpkeep(large));
  const targets = {
    bare: pollsOf(bare, smallFleet.idle),
    small: pollsOf(smallServer, smallFleet.idle),
    large: pollsOf(largeServer, largeFleet.idle),
  };
  for (const target of Object.values(targets)) await warmUp(target);
  const measured = await inRounds(rounds, () => polls(targets));
  await stopped(bare, smallServer);
  const besideBare = compare(measured.small, measured.bare);
  const besideSmall = compare(measured.large, measured.small);
  const few = `${count(SMALL_FLEET)} devices`;
  report.say("requests to a bare node:http server that answers 204", rate(measured.bare));
  report.say(
    `polls of ${few}, nothing for them`,
    rate(measured.small),
    report.beside(besideBare, "it", AIMS.pollsBesideBare),
  );
  report.say(
    `polls of ${count(devices)} devices, nothing for them`,
    rate(measured.large),
    report.beside(besideSmall, few, AIMS.largeBesideSmall),
  );
  const creation = await measureCreation(largeServer, largeFleet.idle);
  await stopped(largeServer);
  return { ...measured, besideBare, besideSmall, creation };
}

/** A deployment to all devices is created while devices poll and send inventories: how long do they wait? */
async function measureCreation(server: Running, fleet: readonly FleetDevice[]): Promise<unknown> {
  const management = await loggedIn(server);
  const before = server.memory();
  const requests = [...fleet.slice(0, 100).map(inventory), ...fleet.slice(100, 200).map(poll)];
  const loading = await beginLoad({ port: server.port, requests }, 2);
  const start = performance.now();
  const body = { name: "all", artifact_name: RELEASE, all_devices: true };
  await management.call("POST", "/api/management/v1/deployments/deployments", body);
  const took = (performance.now() - start) / 1000;
  const { maxMs: maxWaitMs } = await loading.stop();
  const grownMiB = (server.memory().peakKiB - before.residentKiB) / 1024;
  report.say(
    `a deployment to ${count(devices)} devices is created`,
    `${took.toFixed(1)} s`,
    `+${grownMiB.toFixed(0)} MiB`,
  );
  const aim = report.aimed(maxWaitMs, AIMS.waitMs, " ms");
  report.say("the longest that anybody waited meanwhile", `${maxWaitMs.toFixed(0)} ms`, aim);
  return { seconds: took, maxWaitMs, grownMiB };
}

async function measureStatuses(artifact: string): Promise<unknown> {
  const server = await started(startUpkeep(newData(), ["--auto-accept"]));
  const reporters = await Reporters.begin(server.port, await loggedIn(server), artifact);
  const sqlite = await inTurn(rounds, {
    alone: () => sqliteCommits(folder),
    durable: () => reporters.report(server.port),
  });
  await stopped(server);
  report.say("commits, SQLite alone", rate(sqlite.alone));
  report.say(
    "durable statuses, SQLite",
    rate(sqlite.durable),
    report.beside(compare(sqlite.durable, sqlite.alone), "it"),
  );
  if (postgresPrograms() === undefined) {
    report.note(`Without PostgreSQL: ${POSTGRES_MISSING}.`);
    return { sqlite };
  }
  const engine = await started(startPostgres({ durable: true }));
  const onIt = await started(startUpkeep(newData(), ["--auto-accept", "--database", engine.url]));
  const onPostgres = await Reporters.begin(onIt.port, await loggedIn(onIt), artifact);
  const postgres = await inTurn(rounds, {
    alone: () => postgresCommits(engine.url),
    durable: () => onPostgres.report(onIt.port),
  });
  await stopped(onIt, engine);
  report.say("commits, PostgreSQL alone, one connection", rate(postgres.alone));
  const part = report.beside(compare(postgres.durable, postgres.alone), "it");
  report.say("durable statuses, PostgreSQL", rate(postgres.durable), part);
  return { sqlite, postgres };
}

/** One and two servers on one database, beside it and with a slow way to it. */
async function measureServersOnPostgres(artifact: string): Promise<unknown> {
  if (postgresPrograms() === undefined) {
    report.note(`Without PostgreSQL: ${POSTGRES_MISSING}.`);
    return undefined;
  }
  const engine = await started(startPostgres({ durable: true }));
  const slow = await started(SlowProxy.start(engine.url));
  const data = newData();
  const serve = (url: string) => started(startUpkeep(data, ["--auto-accept", "--database", url]));
  const near = [await serve(engine.url), await serve(engine.url)] as const;
  const far = [await serve(slow.url), await serve(slow.url)] as const;
  const reporters = await Reporters.begin(near[0].port, await loggedIn(near[0]), artifact, IN_FLIGHT);
  const portsOf = (servers: readonly Running[]): number[] => servers.map(({ port }) => port);
  const kinds = {
    near1: portsOf(near.slice(0, 1)),
    near2: portsOf(near),
    far1: portsOf(far.slice(0, 1)),
    far2: portsOf(far),
  };
  for (const ports of Object.values(kinds)) await reporters.report(...ports);
  const oldest = await watchTransactions(engine.url);
  const costs = new Costs(
    {
      servers: () => [...near, ...far].reduce((sum, server) => sum + server.processorMs(), 0),
      database: () => engine.processorMs(),
      proxy: () => processorMsOf("self"),
    },
    () => reporters.sent,
  );
  const measure = async (what: "statuses" | "polls", send: (ports: readonly number[]) => Promise<number>) =>
    await inTurn(
      rounds,
      mapped(kinds, (ports, kind) => () => costs.of(`${what} ${kind}`, () => send(ports))),
    );
  const measured = {
    statuses: await measure("statuses", (ports) => reporters.report(...ports)),
    polls: await measure("polls", (ports) => reporters.poll(...ports)),
  };
  const oldestMs = await oldest();
  await stopped(...near, ...far, slow, engine);
  for (const what of ["statuses", "polls"] as const) {
    const say = (kind: keyof typeof kinds, servers: string, beside?: Rounds, other = ""): void => {
      const figures = measured[what][kind];
      const compared = beside === undefined ? "" : report.beside(compare(figures, beside), other);
      report.say(`${what}, PostgreSQL, ${servers}, ${IN_FLIGHT} in flight`, rate(figures), compared);
      costs.say(report, `${what} ${kind}`);
    };
    const { near1, far1 } = measured[what];
    say("near1", "1 server");
    say("near2", "2 servers", near1, "1 server");
    say("far1", "1 server, 2 ms away", near1, "beside it");
    say("far2", "2 servers, 2 ms away", far1, "1 server");
  }
  report.say(
    "the oldest transaction meanwhile",
    `${oldestMs.toFixed(0)} ms`,
    report.aimed(oldestMs, AIMS.transactionMs, " ms"),
  );
  return { ...measured, costs, oldestMs };
}

function mapped<K extends string, A, B>(all: Readonly<Record<K, A>>, map: (one: A, name: K) => B): Record<K, B> {
  return Object.fromEntries(Object.entries<A>(all).map(([name, one]) => [name, map(one, name as K)])) as Record<K, B>;
}

async function mibPerSecond(url: string): Promise<number> {
  const result = await download({ url, atOnce: 4, slowly: false });
  return result.bytes / 1024 / 1024 / result.seconds;
}

async function measureDownloads(artifact: string): Promise<unknown> {
  const data = newData();
  const fleet = await makeFleet(data, SMALL_FLEET, SAMPLE);
  const server = await started(startUpkeep(data));
  const management = await loggedIn(server);
  const loading = await beginLoad(pollsOf(server, fleet.idle), 2);
  const id = await management.upload(artifact);
  const { maxMs: uploadWaitMs } = await loading.stop();
  report.say(`the longest that a poll waited during an upload of ${sizeMiB} MiB`, `${uploadWaitMs.toFixed(0)} ms`);
  const { uri } = await management.json<{ uri: string }>(`/api/management/v1/deployments/artifacts/${id}/download`);
  const downloads = await measureThroughput(uri);

  const slowDownloads = await measureSlowDownloads(server, uri, fleet.idle);
  await stopped(server);
  return { uploadWaitMs, downloads, slowDownloads };
}

/** Polls while an image of nothing but zeros, which are most of a sparse one, comes in with each compression. */
async function measureSparseUploads(): Promise<unknown> {
  const measured: Record<string, unknown> = {};
  for (const compression of COMPRESSIONS) {
    const artifact = await writeArtifact(`sparse-${compression}`, 0, compression);
    const data = newData();
    const fleet = await makeFleet(data, SMALL_FLEET, SAMPLE);
    const server = await started(startUpkeep(data));
    const management = await loggedIn(server);
    const target = pollsOf(server, fleet.idle);
    await warmUp(target);
    const before = server.memory();
    const loading = await beginLoad(target, 2);
    const start = performance.now();
    await management.upload(artifact);
    const tookS = (performance.now() - start) / 1000;
    const { maxMs: waitMs } = await loading.stop();
    const grownMiB = (server.memory().peakKiB - before.residentKiB) / 1024;
    await stopped(server);
    const aim = report.aimed(waitMs, AIMS.waitMs, " ms");
    const what = `the longest that a poll waited: ${sizeMiB} MiB of zeros, ${compression}`;
    report.say(what, `${waitMs.toFixed(0)} ms`, `${aim}; ${tookS.toFixed(1)} s, +${grownMiB.toFixed(0)} MiB`);
    measured[compression] = { waitMs, tookS, grownMiB };
  }
  return measured;
}

/** Polls while many devices download over slow lines, which takes them hours. */
async function measureSlowDownloads(server: Running, url: string, fleet: readonly FleetDevice[]): Promise<unknown> {
  const target = pollsOf(server, fleet);
  // Each round begins downloads and waits for them: what cannot be measured in turns of 100 ms is measured for longer.
  const perSecond = async (): Promise<number> => (await polls({ target }, 2 * seconds)).target;
  await warmUp(target);
  const before = server.memory();
  const waitsMs: number[] = [];
  const measured = await inTurn(rounds, {
    alone: perSecond,
    meanwhile: async () => {
      const loading = await beginLoad(target, 2);
      const slow = await started(beginDownloads({ url, atOnce: SLOW_DOWNLOADS, slowly: true }));
      waitsMs.push((await loading.stop()).maxMs);
      await calm(server);
      const polled = await perSecond();
      await stopped(slow);
      return polled;
    },
  });
  const what = `${SLOW_DOWNLOADS} slow downloads`;
  const grownMiB = (server.memory().peakKiB - before.residentKiB) / 1024;
  report.say("polls, with nothing else going on", rate(measured.alone));
  const part = report.beside(compare(measured.meanwhile, measured.alone), "that", AIMS.pollsDuringDownloads);
  report.say(`polls, during ${what}`, rate(measured.meanwhile), part);
  report.say(`the longest that a poll waited while ${what} began`, `${median(waitsMs).toFixed(0)} ms`);
  report.say(`memory of ${what}`, `${grownMiB.toFixed(0)} MiB`);
  return { ...measured, waitsMs, grownMiB };
}

/** Until the buffers on the way to the clients are full, a slow download is a fast one. */
async function calm(server: Running): Promise<void> {
  let before = server.processorMs();
  await until("the server has nothing to do", async () => {
    await sleep(CALM_MS);
    const now = server.processorMs();
    const isCalm = now - before < CALM_MS / 10;
    before = now;
    return isCalm ? true : undefined;
  });
}

async function measureThroughput(uri: string): Promise<unknown> {
  const what = `download of ${sizeMiB} MiB, 4 at once`;
  const program = findNginx();
  if (program === undefined) {
    report.note("Without nginx: apt-get install nginx-light.");
    const { ours } = await inTurn(rounds, { ours: () => mibPerSecond(uri) });
    report.say(what, throughput(ours));
    return { ours };
  }
  const peer = await started(startNginx(program, folder));
  // Rounds are short, and differ more than those of anything else.
  const measured = await inTurn(2 * rounds, {
    nginx: () => mibPerSecond(`http://127.0.0.1:${peer.port}/artifact.mender`),
    ours: () => mibPerSecond(uri),
  });
  await stopped(peer);
  const beside = compare(measured.ours, measured.nginx);
  report.say(`${what}, nginx`, throughput(measured.nginx));
  report.say(what, throughput(measured.ours), report.beside(beside, "nginx", AIMS.downloadBesideNginx));
  return { ...measured, beside };
}

async function writeArtifact(name: string, byte: number, compression: (typeof COMPRESSIONS)[number]): Promise<string> {
  const image = join(folder, "image");
  const artifact = join(folder, `${name}.mender`);
  writeFileSync(image, Buffer.alloc(sizeMiB * 1024 * 1024, byte));
  const flags = [
    "-T",
    "bench",
    "-n",
    "bench",
    "-t",
    "bench",
    "-f",
    image,
    "-o",
    artifact,
    "--compression",
    compression,
  ];
  const child = spawn(process.execPath, [UPKEEP_SERVER, "artifact", "write", "module-image", ...flags], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [status] = (await once(child, "close")) as [number];
  if (status !== 0) throw new Error(`upkeep-server artifact write ended with ${status}`);
  return artifact;
}

try {
  if (!existsSync(join(import.meta.dirname, "../../mock-server/dist"))) throw new Error("run npm run build first");
  report.note(
    `Node ${process.version}. ${CONNECTIONS} connections, ${rounds} rounds of ${seconds} s each. ` +
      "The access log is on, in a file.",
  );
  const artifact = await writeArtifact("artifact", 0xa5, "none");
  const measured = {
    node: process.version,
    devices,
    aims: AIMS,
    polls: isWanted("polls") ? await measurePolls() : undefined,
    statuses: isWanted("statuses") ? await measureStatuses(artifact) : undefined,
    postgres: isWanted("postgres") ? await measureServersOnPostgres(artifact) : undefined,
    sparseUploads: isWanted("uploads") ? await measureSparseUploads() : undefined,
    downloads: isWanted("downloads") ? await measureDownloads(artifact) : undefined,
  };
  if (options.json) process.stdout.write(`${JSON.stringify(measured, null, 2)}\n`);
  if (report.missed > 0) process.exitCode = 1;
} finally {
  for (const one of running) await one.stop();
  rmSync(folder, { recursive: true, force: true });
}
