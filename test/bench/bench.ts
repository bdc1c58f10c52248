/**
 * `npm run bench`: the agent beside the real client, in one run on one machine: installing (time, processor time,
 * peak memory), many small files, peak memory by size, idle memory, start-up, bytes on the wire with connections that are
 * cut, and what an agent costs a device (footprint). Measured only if they are named: `console`, the server's page with a
 * large fleet, `search`, its search for devices on each database, and `adaptive`, what adaptive downloads fetch.
 * Prints what was measured and ratios; `-- --json` prints everything for programs, `-- --only wire,idle` measures
 * some of it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { postgresPrograms } from "../mock-server/postgres/server.ts";
import { startServer } from "../support/server.ts";
import { DEVICE_PACKAGES } from "./adaptive/debian.ts";
import { ADAPTIVE_AIMS, INTERRUPTED_MAX, LINK_MBITS, MEMORY_MAX_KIB, measureAdaptive } from "./adaptive.ts";
import { type ClientName, demandBuild, missingPeer } from "./clients.ts";
import { CONSOLE_AIMS, measureConsole } from "./console.ts";
import { type Footprint, measureFootprints } from "./footprint.ts";
import { measureIdle } from "./idle.ts";
import { measureFiles, measureInstalls, measurePeaks, writeArtifact } from "./install.ts";
import { makeSparse } from "./material.ts";
import type { Measurement } from "./measure.ts";
import { measureSearch, type SearchEngine, type SearchFigures } from "./search.ts";
import { measureStartUp } from "./startup.ts";
import { measureWire } from "./wire.ts";

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    /** Parts to measure, separated by commas; all of them if absent. */
    only: { type: "string" },
    /** MiB of the image that is installed. */
    size: { type: "string", default: "1024" },
    /** Installations by each client. */
    runs: { type: "string", default: "3" },
    /** MiB of the files between which peak memory must not differ. */
    memory: { type: "string", default: "64,4096" },
    /** Files of the artifact that has many. */
    files: { type: "string", default: "10000" },
    /** Starts of each program. */
    starts: { type: "string", default: "15" },
    /** Seconds that idle daemons are left alone before their memory is looked at. */
    settle: { type: "string", default: "30" },
    /** MiB of the image that comes over connections that are cut, and of a connection's life. */
    wire: { type: "string", default: "10" },
    cut: { type: "string", default: "3" },
    /** MiB of the image of a rootfs update whose memory is looked at. */
    rootfs: { type: "string", default: "256" },
    /** Devices in the records, and changes that an open page follows, one in each second of its time. */
    devices: { type: "string", default: "100000" },
    /** Attributes of each of them, for searches. */
    attributes: { type: "string", default: "20" },
    changes: { type: "string", default: "3600" },
    /** Packages of the images between which adaptive downloads are measured; those of a device if absent. */
    packages: { type: "string" },
    /** The agent as a single executable. */
    single: { type: "string", default: "dist/upkeep" },
  },
});

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: "${text}" is no whole number above 0`);
  return value;
}
const MIB = 1024 * 1024;
const sizeMiB = wholeNumber("size", options.size);
const runs = wholeNumber("runs", options.runs);
const fileCount = wholeNumber("files", options.files);
const starts = wholeNumber("starts", options.starts);
const settleSeconds = wholeNumber("settle", options.settle);
const wireMiB = wholeNumber("wire", options.wire);
const cutMiB = wholeNumber("cut", options.cut);
const rootfsMiB = wholeNumber("rootfs", options.rootfs);
const deviceCount = wholeNumber("devices", options.devices);
const attributeCount = wholeNumber("attributes", options.attributes);
const changeCount = wholeNumber("changes", options.changes);
const sizesMiB = options.memory.split(",").map((text) => wholeNumber("memory", text));

/** Aims: our share of the peer's wall time. */
const AIMS: Readonly<Record<string, number>> = { none: 0.9, gzip: 0.7 };
/** The peer waits for a minute after each cut. */
const WIRE_MS_MAX = 20 * 60_000;

const missing = missingPeer();
const clients: readonly ClientName[] = missing === undefined ? ["upkeep", "mender"] : ["upkeep"];
const folder = mkdtempSync(join(tmpdir(), "upkeep-bench-"));

function say(line: string): void {
  if (!options.json) process.stdout.write(`${line}\n`);
}
const row = (cells: readonly string[]): void =>
  say(cells.map((cell, index) => (index === 0 ? cell.padEnd(24) : cell.padStart(14))).join(""));
const mib = (kib: number): string => `${(kib / 1024).toFixed(1)} MiB`;
const describe = ({ wallSeconds, cpuSeconds, peakKiB }: Measurement): string[] => [
  `${wallSeconds.toFixed(2)} s`,
  `${cpuSeconds.toFixed(2)} s`,
  mib(peakKiB),
];

function install(): unknown {
  say(`Installing an ext4 image of ${sizeMiB} MiB of real libraries; the update module reads the stream and drops it.`);
  say(`Best of ${runs} runs of the whole process, in turns.`);
  row(["", "wall", "cpu", "peak memory"]);
  return Object.entries(AIMS).map(([compression, aim]) => {
    const measured = measureInstalls(clients, { folder, sizeMiB, compression, runs });
    for (const [client, measurement] of Object.entries(measured))
      row([`${client} ${compression}`, ...describe(measurement)]);
    const { upkeep, mender } = measured;
    const ratio = upkeep &&
      mender && {
        wall: upkeep.wallSeconds / mender.wallSeconds,
        cpu: upkeep.cpuSeconds / mender.cpuSeconds,
        peak: upkeep.peakKiB / mender.peakKiB,
      };
    if (ratio) row([`ratio (aim <= ${aim})`, ratio.wall.toFixed(2), ratio.cpu.toFixed(2), ratio.peak.toFixed(2)]);
    return { compression, aim, ...measured, ratio: ratio ?? null };
  });
}

function files(): unknown {
  say(`Installing ${fileCount} small files. Best of ${runs} runs of the whole process, in turns; aim: below the peer.`);
  row(["", "wall", "cpu", "peak memory"]);
  const measured = measureFiles(clients, { folder, count: fileCount, runs });
  for (const [way, { upkeep, mender }] of Object.entries(measured)) {
    if (upkeep) row([`upkeep ${way}`, ...describe(upkeep)]);
    if (mender) row([`mender ${way}`, ...describe(mender)]);
    if (upkeep && mender)
      row([
        "ratio (aim <= 1)",
        (upkeep.wallSeconds / mender.wallSeconds).toFixed(2),
        (upkeep.cpuSeconds / mender.cpuSeconds).toFixed(2),
        (upkeep.peakKiB / mender.peakKiB).toFixed(2),
      ]);
  }
  return measured;
}

function memory(): unknown {
  say("Installing a file of each size, without content of its own:");
  row(["", "wall", "cpu", "peak memory"]);
  const peaks = measurePeaks(clients, folder, sizesMiB);
  for (const peak of peaks)
    for (const client of clients) {
      const measured = peak[client];
      if (measured) row([`${client} ${peak.sizeMiB} MiB`, ...describe(measured)]);
    }
  const ratios = Object.fromEntries(
    clients.map((client) => {
      const all = peaks.map((peak) => peak[client]?.peakKiB ?? Number.NaN);
      return [client, Math.max(...all) / Math.min(...all)];
    }),
  );
  for (const [client, ratio] of Object.entries(ratios)) row([`ratio ${client}`, "", "", ratio.toFixed(2)]);
  return { peaks, ratios };
}

async function idle(): Promise<unknown> {
  say(
    `Memory of daemons that wait for their next poll, ${settleSeconds} s after the last one's first, at the same time:`,
  );
  const server = await startServer(join(folder, "idle-server"));
  try {
    const measured = await measureIdle(clients, { folder, server, settleSeconds });
    row(["", "resident", "proportional", "to node"]);
    const node = measured.node?.residentKiB ?? Number.NaN;
    for (const [name, { residentKiB, proportionalKiB }] of Object.entries(measured))
      row([name, mib(residentKiB), mib(proportionalKiB), (residentKiB / node).toFixed(2)]);
    return measured;
  } finally {
    await server.stop();
  }
}

function startup(): unknown {
  say(`Start-up: the best of ${starts} starts of each, in turns. The peer is started in a mount namespace of its own.`);
  const measured = measureStartUp(clients, folder, starts);
  for (const [name, ms] of Object.entries(measured)) row([name, `${ms.toFixed(0)} ms`]);
  return measured;
}

async function wire(): Promise<unknown> {
  say(`On the wire: an update of ${wireMiB} MiB by the daemon, each connection cut after ${cutMiB} MiB.`);
  const server = await startServer(join(folder, "wire-server"));
  try {
    const artifact = writeArtifact(folder, makeSparse(folder, wireMiB), "none", "wire");
    await server.management.upload(artifact);
    row(["", "down", "of artifact", "up", "connections", "cuts", "time", "result"]);
    const measured: Record<string, unknown> = {};
    for (const client of clients) {
      const wireOptions = { folder, server, artifact, release: "wire", cutAfterBytes: cutMiB * MIB };
      const one = await measureWire(client, { ...wireOptions, limitMs: WIRE_MS_MAX });
      measured[client] = one;
      const { downBytes, upBytes, ratio, connections, cuts, seconds, status } = one;
      const numbers = [ratio.toFixed(4), `${upBytes} B`, String(connections), String(cuts)];
      row([client, `${downBytes} B`, ...numbers, `${seconds.toFixed(1)} s`, status]);
    }
    return measured;
  } finally {
    await server.stop();
  }
}

/** A program of many files that a system may get one day. */
const APPLICATION = "/usr/lib/node_modules/npm";

const secondsAt = (mbits: number, bytes: number): string => `${((bytes * 8) / mbits / 1e6).toFixed(0)} s`;

async function adaptive(): Promise<unknown> {
  say("Adaptive downloads: what a device fetches by the agent's own plan, requests at 800 bytes each included.");
  const packages = options.packages?.split(",") ?? DEVICE_PACKAGES;
  const figures = await measureAdaptive(APPLICATION, packages, (what, measured) => {
    say(`${what}: ${JSON.stringify(measured)}`);
  });
  const { upgraded, cases, wholes, trips, interrupted } = figures;
  say(
    `Images of ${figures.packages} packages of Debian bookworm; the security updates upgrade ${upgraded}. MB on the wire.`,
  );
  const mb = (bytes: number | undefined): string => (bytes === undefined ? "" : (bytes / 1e6).toFixed(1));
  row([
    "",
    "image",
    "4 KiB blocks",
    "xdelta3 -9",
    "casync",
    "adaptive",
    "of it index",
    "requests",
    "at 1 Mbit/s",
    "at 10 Mbit/s",
  ]);
  for (const [name, { image, blocks, xdelta, casync, adaptive: bytes, index, requests }] of Object.entries(cases)) {
    const seconds = [1, 10].map((mbits) => secondsAt(mbits, bytes));
    row([name, ...[image, blocks, xdelta, casync, bytes, index].map(mb), String(requests), ...seconds]);
  }
  row(["the whole", "gzip -6", "zstd -19", "patch-from", "gzip, 1 Mbit/s", "gzip, 10 Mbit/s"]);
  for (const [name, { gzip, zstd, patch }] of Object.entries(wholes))
    row([name, ...[gzip, zstd, patch].map(mb), ...[1, 10].map((mbits) => secondsAt(mbits, gzip))]);
  say("Seconds in these tables are computed: bytes, requests included, by the bandwidth.");
  row([`A real agent, ${LINK_MBITS} Mbit/s`, "bytes down", "measured", "peak memory"]);
  for (const [name, { downBytes, seconds, peakKiB }] of Object.entries(trips))
    row([name, mb(downBytes), `${seconds.toFixed(0)} s`, mib(peakKiB)]);
  const again = Object.entries(interrupted).map(([share, ratio]) => `${share}: ${ratio.toFixed(3)}`);
  say(`Killed when a share of the bytes had come: all bytes as a multiple of those without: ${again.join(", ")}.`);
  const missed = ADAPTIVE_AIMS.flatMap((aim) => {
    const one = cases[aim.in];
    const other = aim.of === "whole" ? wholes[aim.whole]?.zstd : one?.[aim.of];
    const share = (one?.adaptive ?? Number.NaN) / (other ?? Number.NaN);
    say(`${aim.in}: ${share.toFixed(3)} of ${aim.of} (aim <= ${aim.max}).`);
    return share <= aim.max ? [] : [`${aim.in}, ${aim.of}`];
  });
  if (Object.values(interrupted).some((ratio) => ratio > INTERRUPTED_MAX)) missed.push("after an interruption");
  if (trips.adaptive.peakKiB > trips.whole.peakKiB + MEMORY_MAX_KIB) missed.push("memory");
  say(missed.length === 0 ? "All aims are met." : `Aims missed: ${missed.join("; ")}.`);
  return { ...figures, missed };
}

/** Aims of a footprint: upper limits of ours. */
const FOOTPRINT_AIMS = { updatePssKiB: 96 * 1024, checkCpuSeconds: 0.25 } as const;

/** The columns: title, and the cell of an agent. */
const FOOTPRINT: readonly (readonly [string, (one: Footprint) => string])[] = [
  ["disk", ({ diskKiB }) => size(diskKiB)],
  ["download", ({ downloadKiB }) => size(downloadKiB)],
  ["idle PSS", ({ idlePssKiB }) => size(idlePssKiB)],
  ["private", ({ idlePrivateKiB }) => size(idlePrivateKiB)],
  ["update PSS", ({ updatePssKiB }) => size(updatePssKiB)],
  ["check cpu", ({ checkCpuSeconds }) => (checkCpuSeconds === null ? "-" : `${checkCpuSeconds.toFixed(3)} s`)],
  ["wall", ({ checkSeconds }) => (checkSeconds === null ? "-" : `${checkSeconds.toFixed(2)} s`)],
  ["wire", ({ checkWireBytes }) => (checkWireBytes === null ? "-" : `${checkWireBytes} B`)],
];
const size = (kib: number | null): string => (kib === null ? "-" : mib(kib));

async function footprint(): Promise<unknown> {
  say(
    `What an agent costs a device: disk and download with what runs it; memory ${settleSeconds} s after its first poll, and`,
  );
  say(
    `the most of all processes while an image of ${rootfsMiB} MiB (gzip) is installed; one poll or check that finds nothing.`,
  );
  say("Each has a copy of its runtime: no other program of this machine shares its pages. Download: packed by xz.");
  row(["", ...FOOTPRINT.map(([title]) => title)]);
  const measured = await measureFootprints(clients, {
    folder,
    sizeMiB: rootfsMiB,
    settleSeconds,
    singleExecutable: options.single,
  });
  for (const [name, one] of Object.entries(measured)) row([name, ...FOOTPRINT.map(([, cell]) => cell(one))]);
  const missed = Object.entries(measured)
    .filter(([name]) => !name.startsWith("mender"))
    .flatMap(([name, one]) =>
      (Object.keys(FOOTPRINT_AIMS) as (keyof typeof FOOTPRINT_AIMS)[])
        .filter((key) => (one[key] ?? 0) > FOOTPRINT_AIMS[key])
        .map((key) => `${key} of ${name}`),
    );
  say(missed.length === 0 ? "Update <= 96 MiB and check <= 0.25 s: met." : `Aims missed: ${missed.join(", ")}.`);
  return { measured, aims: FOOTPRINT_AIMS, missed };
}

async function search(): Promise<unknown> {
  say(
    `The server's search among ${deviceCount} devices with ${attributeCount} attributes each: medians, and how many were found.`,
  );
  const engines: readonly SearchEngine[] = postgresPrograms() === undefined ? ["sqlite"] : ["sqlite", "postgres"];
  const measured: Partial<Record<SearchEngine, SearchFigures>> = {};
  for (const engine of engines)
    measured[engine] = await measureSearch(engine, { devices: deviceCount, attributes: attributeCount });
  const all = engines.flatMap((engine) => measured[engine] ?? []);
  const line = (title: string, cell: (one: SearchFigures) => string): void =>
    say([title.padEnd(34), ...all.map((one) => cell(one).padStart(20))].join(""));
  say(["".padEnd(34), ...engines.map((engine) => engine.padStart(20))].join(""));
  for (const name of Object.keys(all[0]?.searches ?? {})) {
    line(name, ({ searches }) => `${searches[name]?.ms.toFixed(2)} ms (${searches[name]?.found})`);
  }
  line("reports/s, nothing changed", ({ reportsPerSecond }) => reportsPerSecond.unchanged.toFixed(0));
  line("reports/s, 3 values changed", ({ reportsPerSecond }) => reportsPerSecond.threeChanged.toFixed(0));
  line("reports/s, all values changed", ({ reportsPerSecond }) => reportsPerSecond.allChanged.toFixed(0));
  line("migration of the fleet", ({ migrationSeconds }) => `${migrationSeconds.toFixed(1)} s`);
  line(
    "records, without and with it",
    ({ mibBefore, mibAfter }) => `${mibBefore.toFixed(0)}, ${mibAfter.toFixed(0)} MiB`,
  );
  const slow = engines.filter((engine) => (measured[engine]?.searches["mac = one"]?.ms ?? 0) > MAC_MS_MAX);
  say(
    slow.length === 0
      ? `mac = one within ${MAC_MS_MAX} ms: met.`
      : `mac = one within ${MAC_MS_MAX} ms: missed on ${slow}.`,
  );
  return measured;
}
/** Aim of a search for one device. */
const MAC_MS_MAX = 50;

async function consolePage(): Promise<unknown> {
  say(`The console in Chromium, with ${deviceCount} devices in the records.`);
  const measured = await measureConsole({ folder, devices: deviceCount, changes: changeCount });
  const { firstPage, paintMs, interactiveMs, typingMs, heapBytes } = measured;
  const at = (share: number): number => typingMs[Math.ceil(share * typingMs.length) - 1] ?? Number.NaN;
  const [early = Number.NaN, late = Number.NaN] = [heapBytes[0], heapBytes.at(-1)];
  const kB = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
  row([
    "first page",
    kB(firstPage.bytes),
    `${firstPage.requests} requests`,
    `aim <= ${CONSOLE_AIMS.firstPageBytes / 1000} kB`,
  ]);
  row(["  scripts and styles", kB(firstPage.scriptBytes)]);
  row(["painted after", `${paintMs.toFixed(0)} ms`]);
  row(["interactive after", `${interactiveMs.toFixed(0)} ms`]);
  row(["key to rows, median", `${at(0.5).toFixed(0)} ms`, "", `aim <= ${CONSOLE_AIMS.typingMs} ms`]);
  row(["key to rows, 95 %", `${at(0.95).toFixed(0)} ms`, `${typingMs.length} keys`]);
  row(["heap after 1/10", kB(early), `${changeCount} changes`]);
  row([
    "heap at the end",
    kB(late),
    `${((late / early - 1) * 100).toFixed(1)} %`,
    `aim <= ${CONSOLE_AIMS.heapGrowth * 100} %`,
  ]);
  const missed = [
    ...(firstPage.bytes > CONSOLE_AIMS.firstPageBytes ? ["first page"] : []),
    ...(at(0.95) > CONSOLE_AIMS.typingMs ? ["key to rows"] : []),
    ...(late / early - 1 > CONSOLE_AIMS.heapGrowth ? ["heap"] : []),
  ];
  say(missed.length === 0 ? "All aims are met." : `Aims missed: ${missed.join(", ")}.`);
  return { ...measured, aims: CONSOLE_AIMS, missed };
}

/** Those that compare the agent with its peer. */
const AGENT_PARTS = { install, files, memory, idle, startup, wire, footprint } as const;
const PARTS: Readonly<Record<string, () => unknown>> = { ...AGENT_PARTS, console: consolePage, search, adaptive };

function chosenParts(): string[] {
  const names = options.only?.split(",") ?? Object.keys(AGENT_PARTS);
  const unknown = names.find((name) => !Object.hasOwn(PARTS, name));
  if (unknown === undefined) return names;
  throw new Error(`--only: there is no part "${unknown}", only ${Object.keys(PARTS).join(", ")}`);
}

try {
  const parts = chosenParts();
  demandBuild();
  say(`Node ${process.version}.`);
  if (missing !== undefined) say(`Without the peer: ${missing}.`);
  const report: Record<string, unknown> = { node: process.version, sizeMiB, runs, missingPeer: missing ?? null };
  for (const part of parts) {
    say("");
    report[part] = await PARTS[part]?.();
  }
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
