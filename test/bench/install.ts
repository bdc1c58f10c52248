import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type ClientName, COMMANDS, UPKEEP_SERVER } from "./clients.ts";
import { DEVICE_TYPE, makeDevice, makeFiles, makeImage, makeSparse, PAYLOAD_TYPE, STORING_MODULE } from "./material.ts";
import { best, type Measurement, measure } from "./measure.ts";

/** Write an artifact with our own writer, so that the bench needs no peer but the one it measures. */
export function writeArtifact(
  folder: string,
  payload: string | readonly string[],
  compression: string,
  name: string,
): string {
  const artifact = join(folder, `${name}-${compression}.mender`);
  const files = [payload].flat().flatMap((file) => ["-f", file]);
  const flags = ["-T", PAYLOAD_TYPE, "-n", name, "-t", DEVICE_TYPE, ...files, "-o", artifact];
  measure({
    program: process.execPath,
    args: [UPKEEP_SERVER, "artifact", "write", "module-image", ...flags, "--compression", compression],
  });
  return artifact;
}

function installOnce(client: ClientName, artifact: string, folder: string, moduleText?: string): Measurement {
  const place = mkdtempSync(join(folder, "run-"));
  try {
    const device = makeDevice(place, moduleText);
    // What was written before must not be written at the cost of this run.
    execFileSync("sync");
    return measure(COMMANDS[client](device, ["install", artifact]));
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** The best of several installations by each client, in turns: the machine treats them alike. */
function bestOfEach(
  clients: readonly ClientName[],
  { folder, artifact, runs, moduleText }: { folder: string; artifact: string; runs: number; moduleText?: string },
): Partial<Record<ClientName, Measurement>> {
  const measured: Partial<Record<ClientName, Measurement[]>> = {};
  for (let run = 0; run < runs; run++)
    for (const client of clients)
      measured[client] = [...(measured[client] ?? []), installOnce(client, artifact, folder, moduleText)];
  return Object.fromEntries(Object.entries(measured).map(([client, all]) => [client, best(all)]));
}

/** Installation of one artifact with many files, by a module that reads them as streams and by one that does not. */
export function measureFiles(
  clients: readonly ClientName[],
  { folder, count, runs }: { folder: string; count: number; runs: number },
): Readonly<Record<"streamed" | "stored", Partial<Record<ClientName, Measurement>>>> {
  const artifact = writeArtifact(folder, makeFiles(folder, count), "none", "files");
  const streamed = bestOfEach(clients, { folder, artifact, runs });
  const stored = bestOfEach(clients, { folder, artifact, runs, moduleText: STORING_MODULE });
  rmSync(artifact);
  return { streamed, stored };
}

/** Installation of an image by each client. */
export function measureInstalls(
  clients: readonly ClientName[],
  { folder, sizeMiB, compression, runs }: { folder: string; sizeMiB: number; compression: string; runs: number },
): Partial<Record<ClientName, Measurement>> {
  const artifact = writeArtifact(folder, makeImage(folder, sizeMiB), compression, "image");
  const measured = bestOfEach(clients, { folder, artifact, runs });
  rmSync(artifact);
  return measured;
}

/** Installation of files of these sizes by each client: peak memory must not follow the size. */
export function measurePeaks(
  clients: readonly ClientName[],
  folder: string,
  sizesMiB: readonly number[],
): readonly ({ readonly sizeMiB: number } & Partial<Record<ClientName, Measurement>>)[] {
  return sizesMiB.map((sizeMiB) => {
    const artifact = writeArtifact(folder, makeSparse(folder, sizeMiB), "none", `sparse-${sizeMiB}`);
    const measured = clients.map((client) => [client, installOnce(client, artifact, folder)]);
    rmSync(artifact);
    return { sizeMiB, ...Object.fromEntries(measured) };
  });
}
