import { EXCHANGE_KINDS } from "../wire/kinds.ts";
import { DEVICE_ACTIVITIES, type FleetSnapshot, type LatencyFigures } from "./figures.ts";

const WIDTH = 11;

function counts(named: Readonly<Record<string, number>>): string {
  const shown = Object.entries(named).filter(([, count]) => count > 0);
  return shown.length === 0 ? "none" : shown.map(([name, count]) => `${name} ×${count}`).join(", ");
}

function latencies({ p50, p95, p99, longest }: LatencyFigures): string {
  return `p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, longest ${longest} ms`;
}

function clock(seconds: number): string {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

/**
 * Describes a fleet's figures in lines of text.
 * @param seconds Since the fleet's start.
 * @param earlier Figures of an earlier moment: the rate covers the time since then.
 */
export function describeFleet(
  now: FleetSnapshot,
  seconds: number,
  earlier?: { readonly snapshot: FleetSnapshot; readonly seconds: number },
): string[] {
  const since = seconds - (earlier?.seconds ?? 0);
  const rate = (now.exchangesInAll - (earlier?.snapshot.exchangesInAll ?? 0)) / Math.max(since, 0.001);
  const { begun, succeeded, failed, aborted } = now.updates;
  const line = (title: string, text: string): string => `${title.padEnd(WIDTH)} ${text}`;
  const activities = DEVICE_ACTIVITIES.filter((activity) => now.devices[activity] > 0);
  return [
    line("time", clock(seconds)),
    line("devices", activities.map((activity) => `${now.devices[activity]} ${activity}`).join(", ")),
    line("updates", `${begun} begun, ${succeeded} succeeded, ${failed} failed, ${aborted} aborted`),
    line("exchanges", `${now.exchangesInAll}, ${rate.toFixed(0)} a second; ${latencies(now.latencyMs)}`),
    ...EXCHANGE_KINDS.flatMap((kind) => {
      const figures = now.exchanges[kind];
      if (figures === undefined) return [];
      const { p50, p99 } = figures.latencyMs;
      return [line(`  ${kind}`, `${figures.count} (${counts(figures.statuses)}); p50 ${p50} ms, p99 ${p99} ms`)];
    }),
    line("downloaded", `${(now.downloadedBytes / 1e6).toFixed(1)} MB`),
    line("errors", `5xx ×${now.serverFailures}; without an answer: ${counts(now.connectionFaults)}`),
    ...Object.entries(now.troubles).map(([code, { count, example }]) =>
      line("  trouble", `${code} ×${count}, such as: ${example.slice(0, 160)}`),
    ),
  ];
}
