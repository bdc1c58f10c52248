import { printable } from "@upkeep/shared/text";
import type { DeviceStatus } from "./status.ts";

const MIB = 1024 * 1024;
const COLUMN = 14;

/** A duration in the largest suitable unit. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

const at = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

function daemonLine({ daemon, holder }: DeviceStatus, nowMs: number): string {
  if (holder === null)
    return "not running; 'systemctl start upkeep' starts it, unless upkeep.timer runs 'upkeep check'";
  if (holder.command !== "daemon") return `not running; upkeep ${holder.command} (process ${holder.pid}) is at work`;
  if (daemon === null) return `runs (process ${holder.pid})`;
  return `runs since ${at(daemon.startedMs)}, ${span(nowMs - daemon.startedMs)} (process ${holder.pid})`;
}

function nowLine({ daemon, update }: DeviceStatus): string | undefined {
  if (update?.mode === "standalone") {
    const decide =
      update.state === "AwaitCommit" ? "'upkeep commit' or 'upkeep rollback' decides" : "'upkeep resume' goes on";
    return `no deployment can begin: an update installed by hand is ${update.whereabouts}; ${decide}`;
  }
  switch (daemon?.activity) {
    case undefined:
      return update === null ? undefined : "an update has begun; the daemon, or 'upkeep check', goes on with it";
    case "waiting":
      return "waiting for the next poll";
    case "not set up":
      return "waiting for 'upkeep setup': this device is not set up";
    case "polling":
      return "asking the server for a deployment";
    default:
      return daemon?.activity;
  }
}

function updateLine({ daemon, update }: DeviceStatus, nowMs: number): string | undefined {
  const live = daemon?.update ?? undefined;
  if (live === undefined && update === null) return undefined;
  const deployment = live?.deployment ?? update?.deployment;
  const name = live?.artifactName ?? update?.artifactName ?? "an artifact whose name is not known yet";
  const doing = live === undefined || live.state === null ? (update?.whereabouts ?? "starting") : live.doing;
  const parts = [`${deployment ? `deployment ${deployment}` : "by hand"}, ${name}: ${doing}`];
  if (live?.state === "Download" && live.receivedBytes > 0) {
    const got = (live.receivedBytes / MIB).toFixed(1);
    parts.push(
      live.totalBytes === null
        ? `${got} MiB so far`
        : `${Math.floor((live.receivedBytes / live.totalBytes) * 100)}% (${got} of ${(live.totalBytes / MIB).toFixed(1)} MiB)`,
    );
  }
  if (live !== undefined) parts.push(`for ${span(nowMs - live.sinceMs)}`);
  if (update?.failure) parts.push(`it failed: ${update.failure}`);
  return parts.join(", ");
}

function lastLine({ lastUpdate }: DeviceStatus, nowMs: number): string {
  if (lastUpdate === null) return "none is known";
  const { deployment, artifactName, status, failure, device, endedMs } = lastUpdate;
  const which = `${deployment === null ? "by hand" : `deployment ${deployment}`}, ${artifactName ?? "artifact unknown"}`;
  const ended = `${status === "success" ? "succeeded" : "failed"} at ${at(endedMs)}, ${span(nowMs - endedMs)} ago`;
  const why = failure === null ? "" : `: ${failure}`;
  const odd = device === "unknown" ? "; the device may be in an inconsistent state" : "";
  return `${which}: ${ended}${why}${odd}`;
}

/** What the last download cost, if an adaptive one was offered. */
function transferLine({ lastUpdate }: DeviceStatus): string | undefined {
  const transfer = lastUpdate?.transfer;
  if (transfer === undefined) return undefined;
  const { needed, reused, fetched, plain } = transfer;
  const mib = (bytes: number): string => (bytes / MIB).toFixed(1);
  const cost = `${mib(fetched)} MiB for an artifact of ${mib(needed)} MiB`;
  return plain === undefined
    ? `${cost}; ${mib(reused)} MiB, uncompressed, came from the device`
    : `${cost}, which was downloaded whole: ${plain}`;
}

function serverLine({ daemon, servers }: DeviceStatus, nowMs: number): string {
  const names = servers.length === 0 ? "none is configured; see 'upkeep setup'" : servers.join(", ");
  const last = daemon?.server ?? undefined;
  if (last === undefined) return names;
  const ago = `${span(nowMs - last.atMs)} ago`;
  return last.fault === null ? `${names}: answered ${ago}` : `${names}: could not be asked ${ago}: ${last.fault}`;
}

/** One line for each request that the server refuses, with its reason. */
function refusedLines({ daemon }: DeviceStatus, nowMs: number): [string, string][] {
  return (daemon?.refused ?? []).map(({ atMs, reason }) => ["Refused", `${span(nowMs - atMs)} ago: ${reason}`]);
}

/** The status as text: one fact a line, without the unknown ones. */
export function describeStatus(found: DeviceStatus, nowMs: number): string {
  const next = found.daemon?.nextPollMs ?? undefined;
  const lines: [string, string | undefined][] = [
    ["Upkeep", found.version],
    ["Daemon", daemonLine(found, nowMs)],
    ["Device type", found.deviceType ?? "not known; see 'upkeep setup'"],
    ["Artifact", found.artifactName],
    ["Now", nowLine(found)],
    ["Update", updateLine(found, nowMs)],
    ["Last update", lastLine(found, nowMs)],
    ["Fetched", transferLine(found)],
    ["Server", serverLine(found, nowMs)],
    ...refusedLines(found, nowMs),
    ["Next poll", next === undefined ? undefined : `in ${span(next - nowMs)}, at ${at(next)}`],
  ];
  return lines
    .map(([name, value]) => (value === undefined ? "" : `${name.padEnd(COLUMN)}${printable(value)}\n`))
    .join("");
}
