import { statSync } from "node:fs";
import { join } from "node:path";
import type { RunningServer } from "../support/server.ts";
import { until } from "../support/waiting.ts";
import { type ClientName, DAEMONS } from "./clients.ts";
import { CuttingProxy } from "./cutting-proxy.ts";

/** What came and went between a daemon and its server, from the first hello to the last report of one update. */
export interface WireMeasurement {
  readonly status: string;
  readonly downBytes: number;
  readonly upBytes: number;
  readonly cuts: number;
  readonly connections: number;
  readonly seconds: number;
  /** All that came down, by the size of the artifact. */
  readonly ratio: number;
}

export interface WireOptions {
  readonly folder: string;
  readonly server: RunningServer;
  readonly artifact: string;
  readonly release: string;
  readonly cutAfterBytes: number;
  readonly limitMs: number;
}

/** One update of a new device over connections that are cut again and again. */
export async function measureWire(client: ClientName, options: WireOptions): Promise<WireMeasurement> {
  const { folder, server, artifact, release, cutAfterBytes, limitMs } = options;
  const { hostname, port } = new URL(server.url);
  const proxy = await CuttingProxy.start({ host: hostname, port: Number(port) }, cutAfterBytes);
  const mac = client === "upkeep" ? "02:00:5e:00:53:11" : "02:00:5e:00:53:12";
  const config = {
    UpdatePollIntervalSeconds: 5,
    InventoryPollIntervalSeconds: 1800,
    RetryPollIntervalSeconds: 5,
    // Both clients are to receive the same bytes. The peer does not know the key.
    AdaptiveDownloads: false,
  };
  const daemon = DAEMONS[client]({ folder: join(folder, `wire-${client}`), serverUrl: proxy.url, mac, config });
  const explain = (): string => `${daemon.output()}\n${server.program.output()}`.slice(-10_000);
  try {
    const device = await server.management.device("mac", mac, explain);
    await server.management.setStatus(device, "accepted");
    const startMs = performance.now();
    const deployment = await server.management.deploy(release, [device.id], `wire ${client}`);
    const finished = await until(
      `${client} has finished its update`,
      async () => {
        const { status } = await server.management.deployment(deployment);
        return status === "finished" ? await server.management.deviceDeployments(deployment) : undefined;
      },
      { limitMs, explain },
    );
    const artifactBytes = statSync(artifact).size;
    const { downBytes, upBytes, cuts, connections } = proxy;
    if (downBytes < artifactBytes) throw new Error(`${client} has not downloaded through the proxy:\n${explain()}`);
    return {
      status: finished[0]?.status ?? "unknown",
      downBytes,
      upBytes,
      cuts,
      connections,
      seconds: (performance.now() - startMs) / 1000,
      ratio: downBytes / artifactBytes,
    };
  } finally {
    await daemon.stop("SIGKILL");
    await proxy.stop();
  }
}
