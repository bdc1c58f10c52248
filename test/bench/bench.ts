/**
 * `npm run bench`: how long, how much processor time and how much memory an installation takes, beside the
 * peer, in one run on one machine. Prints ratios; `-- --json` prints everything for programs.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { peerPath } from "../interop/peers.ts";
import { DEVICE_TYPE, makeDevice, makeImage, makeSparse, PAYLOAD_TYPE } from "./material.ts";
import { best, type Command, type Measurement, measure } from "./measure.ts";

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    size: { type: "string", default: "1024" },
    runs: { type: "string", default: "3" },
    /** Sizes between which peak memory must not differ. */
    memory: { type: "string", default: "64,4096" },
  },
});
const sizeMiB = wholeNumber("size", options.size);
const runs = wholeNumber("runs", options.runs);
const memorySizesMiB = options.memory.split(",").map((text) => wholeNumber("memory", text));

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: "${text}" is no whole number above 0`);
  return value;
}

const repository = join(import.meta.dirname, "../..");
const upkeepServer = join(repository, "mock-server/bin/upkeep-server.mjs");
const upkeep = join(repository, "agent/bin/upkeep.cjs");

/** Aims: our share of the peer's wall time. */
const AIMS: Readonly<Record<string, number>> = { none: 0.9, gzip: 0.7 };

const folder = mkdtempSync(join(tmpdir(), "upkeep-bench-"));

function say(line: string): void {
  if (!options.json) process.stdout.write(`${line}\n`);
}

/** Write an artifact with our own writer, so that the bench needs no peer but the one it measures. */
function writeArtifact(payload: string, compression: string, name: string): string {
  const artifact = join(folder, `${name}-${compression}.mender`);
  const flags = ["-T", PAYLOAD_TYPE, "-n", name, "-t", DEVICE_TYPE, "-f", payload, "-o", artifact];
  measure({
    program: process.execPath,
    args: [upkeepServer, "artifact", "write", "module-image", ...flags, "--compression", compression],
  });
  return artifact;
}

/** The two programs, each on a fresh device. */
const PROGRAMS: Readonly<Record<string, (device: ReturnType<typeof makeDevice>, artifact: string) => Command>> = {
  upkeep: ({ root }, artifact) => ({ program: process.execPath, args: [upkeep, "--root", root, "install", artifact] }),
  mender: ({ etc, share, data }, artifact) => ({
    // The peer's paths are fixed: give it ours in a mount namespace of its own.
    program: "/usr/bin/unshare",
    args: [
      "--mount",
      "sh",
      "-c",
      `mount --bind "$1" /etc/mender && mount --bind "$2" /usr/share/mender && shift 2 && exec "$@"`,
      "sh",
      etc,
      share,
      ...["mender", "--config", join(etc, "mender.conf"), "--data", data, "--no-syslog", "install", artifact],
    ],
  }),
};

function measureInstall(program: string, artifact: string, times: number): Measurement {
  const command = PROGRAMS[program];
  if (command === undefined) throw new Error(`no such program: ${program}`);
  const measurements = Array.from({ length: times }, () => {
    const place = mkdtempSync(join(folder, "run-"));
    try {
      return measure(command(makeDevice(place), artifact));
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  });
  return best(measurements);
}

function missingPeer(): string | undefined {
  if (peerPath("mender") === undefined) return "mender is not installed (Debian's package mender-client has it)";
  if (process.getuid?.() !== 0)
    return "measuring mender needs root: its paths are fixed, so it runs in a mount namespace";
  return undefined;
}

const row = (cells: readonly string[]): string => cells.map((cell) => cell.padStart(12)).join("");
const describe = ({ wallSeconds, cpuSeconds, peakKiB }: Measurement): string[] => [
  `${wallSeconds.toFixed(2)} s`,
  `${cpuSeconds.toFixed(2)} s`,
  `${(peakKiB / 1024).toFixed(0)} MiB`,
];

function run(): unknown {
  const missing = missingPeer();
  say(`Installing an ext4 image of ${sizeMiB} MiB of real libraries; the update module reads the stream and drops it.`);
  say(`Best of ${runs} runs of the whole process, interleaved. Node ${process.version}.`);
  if (missing !== undefined) say(`Without the peer: ${missing}.`);
  say(row(["", "wall", "cpu", "peak memory"]));

  const image = makeImage(folder, sizeMiB);
  const installs = Object.entries(AIMS).map(([compression, aim]) => {
    const artifact = writeArtifact(image, compression, "image");
    const ours = measureInstall("upkeep", artifact, runs);
    say(row([`upkeep ${compression}`, ...describe(ours)]));
    const peer = missing === undefined ? measureInstall("mender", artifact, runs) : undefined;
    if (peer !== undefined) say(row([`mender ${compression}`, ...describe(peer)]));
    const ratio = peer && {
      wall: ours.wallSeconds / peer.wallSeconds,
      cpu: ours.cpuSeconds / peer.cpuSeconds,
      peak: ours.peakKiB / peer.peakKiB,
    };
    if (ratio !== undefined) {
      say(row(["ratio", ratio.wall.toFixed(2), ratio.cpu.toFixed(2), ratio.peak.toFixed(2)]));
      say(row(["", `aim <= ${aim}`, "", ""]));
    }
    rmSync(artifact);
    return { compression, aim, upkeep: ours, mender: peer ?? null, ratio: ratio ?? null };
  });

  say("\nPeak memory of upkeep by size of the artifact:");
  const memory = memorySizesMiB.map((size) => {
    const artifact = writeArtifact(makeSparse(folder, size), "none", `sparse-${size}`);
    const measured = measureInstall("upkeep", artifact, 1);
    rmSync(artifact);
    say(row([`${size} MiB`, ...describe(measured)]));
    return { sizeMiB: size, ...measured };
  });
  const peaks = memory.map(({ peakKiB }) => peakKiB);
  const memoryRatio = Math.max(...peaks) / Math.min(...peaks);
  say(row(["ratio", "", "", memoryRatio.toFixed(2)]));
  return { node: process.version, sizeMiB, runs, missingPeer: missing ?? null, installs, memory, memoryRatio };
}

try {
  if (!existsSync(join(repository, "agent/dist/upkeep.cjs"))) throw new Error("run npm run build first");
  const report = run();
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
