import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AdaptiveTransfer } from "@upkeep/shared/protocol";
import { createAgentRoot } from "../../support/agent.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { until } from "../../support/waiting.ts";
import { UPKEEP } from "../clients.ts";
import { LinkProxy } from "../link-proxy.ts";
import { type Published, Publisher } from "./publisher.ts";

/** What an update of a real agent took. */
export interface Trip {
  /** From the first poll to `success`, with all attempts. */
  readonly seconds: number;
  /** All bytes that came to the device, headers included. */
  readonly downBytes: number;
  /** The largest resident set of the agent. */
  readonly peakKiB: number;
  /** What the agent said of its last attempt. */
  readonly transfer: AdaptiveTransfer | undefined;
}

export interface TripOptions {
  readonly published: Published;
  /** The image that the device runs; it writes the other one beside it. */
  readonly before: string;
  readonly bytesPerSecond?: number;
  /** False: the agent downloads the whole artifact. */
  readonly adaptive?: boolean;
  /** After this number of bytes has come, the agent is killed, and started again. */
  readonly killAfterBytes?: number;
}

const LIMIT_MS = 30 * 60_000;
/** Of the artifacts that the devices of this bench take. */
export const PAYLOAD_TYPE = "two-files";

/** In the manner of rootfs-image, with files for partitions; it does not boot what it has written. */
const moduleOf = (active: string, other: string, process: string): string => `#!/bin/sh
set -e
case "$1" in
  AdaptiveSeeds) printf '%s\\ntarget %s\\n' '${active}' '${other}' ;;
  Download)
    echo $$ > '${process}'
    while file="$(cat stream-next)" && [ -n "$file" ]; do
      dd if="$file" of='${other}' bs=64K conv=notrunc,fsync status=none
    done ;;
  SupportsRollback | NeedsArtifactReboot) echo No ;;
esac
exit 0
`;

function peakKiBOf({ child }: Program): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
  return Number(kib);
}

/** Ends the daemon, and with it its update module, as a service manager does. */
async function endAll(daemon: Program, moduleProcess: string): Promise<void> {
  await daemon.stop("SIGKILL");
  try {
    // It leads a group of its own.
    process.kill(-Number(readFileSync(moduleProcess, "utf8")), "SIGKILL");
  } catch (error) {
    if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

/** One update of a new device by the agent's daemon, over a link. */
export async function measureTrip(options: TripOptions): Promise<Trip> {
  const { published, before, bytesPerSecond = Infinity, adaptive = true, killAfterBytes } = options;
  const folder = mkdtempSync(join(tmpdir(), "upkeep-trip-"));
  const publisher = await Publisher.start(published);
  const link = await LinkProxy.start({ host: "127.0.0.1", port: publisher.port }, bytesPerSecond);
  publisher.deploy(published, link.url);
  const other = join(folder, "other");
  const moduleProcess = join(folder, "module");
  execFileSync("truncate", ["-r", before, other]);
  createAgentRoot(join(folder, "device"), {
    serverUrl: link.url,
    deviceType: "bench",
    identity: { mac: "02:00:5e:00:53:21" },
    modules: { [PAYLOAD_TYPE]: moduleOf(before, other, moduleProcess) },
    config: { UpdatePollIntervalSeconds: 5, InventoryPollIntervalSeconds: 3600, AdaptiveDownloads: adaptive },
  });
  const start = (): Program => startProgram(process.execPath, [UPKEEP, "--root", join(folder, "device"), "daemon"]);
  const startMs = performance.now();
  let daemon = start();
  const explain = (): string => daemon.output().slice(-5000);
  try {
    if (killAfterBytes !== undefined) {
      await new Promise<void>((resolve) => {
        link.onDown = (bytes) => {
          if (bytes >= killAfterBytes) resolve();
        };
      });
      link.onDown = () => undefined;
      await endAll(daemon, moduleProcess);
      daemon = start();
    }
    let peakKiB = 0;
    await until(
      "the update is over",
      () => {
        peakKiB = Math.max(peakKiB, peakKiBOf(daemon));
        return publisher.outcome;
      },
      { limitMs: LIMIT_MS, explain },
    );
    const seconds = (performance.now() - startMs) / 1000;
    if (publisher.outcome !== "success") throw new Error(`the update ended with ${publisher.outcome}:\n${explain()}`);
    return {
      seconds,
      downBytes: link.downBytes,
      peakKiB,
      transfer: publisher.transfer,
    };
  } finally {
    await endAll(daemon, moduleProcess);
    await link.stop();
    await publisher.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
