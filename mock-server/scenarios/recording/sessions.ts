import { DeploymentInstructions, type DeviceDeploymentStatus, isTerminal, StatusReport } from "@upkeep/shared/protocol";
import * as z from "zod";
import { type ExchangeKind, exchangeKind } from "../wire/kinds.ts";
import type { RecordedBytes, RecordedLine, Recording } from "./format.ts";

/** What a device made of one deployment. */
export interface DeviceUpdate {
  readonly deployment: string;
  readonly release: string;
  readonly deviceTypes: readonly string[];
  /** What it downloaded, if the recording has all of it. */
  readonly artifact: RecordedBytes | undefined;
  /** When it was offered, in milliseconds since the recording began. */
  readonly offeredMs: number;
  /** The statuses that the server took, each once in a row, with the time. */
  readonly reports: readonly { readonly status: DeviceDeploymentStatus; readonly atMs: number }[];
  /** When the server answered that it was aborted. */
  readonly abortedMs: number | undefined;
  /** Bytes after which downloads broke. */
  readonly cuts: readonly number[];
}

/** An answer by the server, or by an intermediary, that does not belong to the question. */
export interface Refusal {
  readonly kind: ExchangeKind;
  readonly status: number;
  readonly retryAfterS: number | undefined;
  readonly atMs: number;
}

/** What one device did in a recording. */
export interface DeviceSession {
  readonly name: string;
  readonly type: string;
  readonly provides: Readonly<Record<string, string>>;
  /** Absent: it polled only once. */
  readonly pollMs: number | undefined;
  /** When it was first refused, and when it was first let in. */
  readonly refusedMs: number | undefined;
  readonly acceptedMs: number | undefined;
  readonly updates: readonly DeviceUpdate[];
  readonly refusals: readonly Refusal[];
}

const Poll = z.object({ device_provides: z.record(z.string(), z.string()) });
const PASSING_STATUSES = new Set([403, 413, 429]);

const kindOf = (line: RecordedLine): ExchangeKind =>
  line.request.path.startsWith("<") ? "download" : exchangeKind(line.request.path);

/** What each device of a recording did, read from what it said. */
export function sessionsIn(recording: Recording): DeviceSession[] {
  const byDevice = new Map<string, RecordedLine[]>();
  for (const line of recording.exchanges) {
    const lines = byDevice.get(line.device) ?? [];
    lines.push(line);
    byDevice.set(line.device, lines);
  }
  return [...byDevice].map(([name, lines]) => sessionOf(name, lines));
}

function sessionOf(name: string, lines: readonly RecordedLine[]): DeviceSession {
  const polls = lines.filter((line) => kindOf(line) === "poll");
  const provides = polls.map(({ request }) => Poll.safeParse(request.json).data?.device_provides).find((one) => one);
  const { device_type: type = "board", ...others } = provides ?? {};
  const logins = lines.filter((line) => kindOf(line) === "auth");
  return {
    name,
    type,
    provides: others,
    pollMs: medianGap(polls.map(({ at_ms }) => at_ms)),
    refusedMs: logins.find(({ answer }) => answer.status === 401)?.at_ms,
    acceptedMs: lines.find((line) => line.answer.status < 300)?.at_ms,
    updates: updatesIn(polls, lines),
    refusals: lines.flatMap((line): Refusal[] => {
      const { status, headers } = line.answer;
      if (status < 500 && !PASSING_STATUSES.has(status)) return [];
      const retryAfter = Number(headers["retry-after"] ?? Number.NaN);
      const retryAfterS = Number.isInteger(retryAfter) ? retryAfter : undefined;
      return [{ kind: kindOf(line), status, retryAfterS, atMs: line.at_ms }];
    }),
  };
}

function medianGap(times: readonly number[]): number | undefined {
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  return gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)];
}

function updatesIn(polls: readonly RecordedLine[], lines: readonly RecordedLine[]): DeviceUpdate[] {
  const updates = new Map<string, DeviceUpdate>();
  for (const { answer, at_ms } of polls) {
    const offer = answer.status === 200 ? DeploymentInstructions.safeParse(answer.json).data : undefined;
    if (offer === undefined || updates.has(offer.id)) continue;
    const { artifact_name: release = "release", device_types_compatible: deviceTypes = [], source } = offer.artifact;
    const downloads = lines.filter(({ request }) => request.path === source.uri);
    const reports = lines.filter(({ request }) => request.path.endsWith(`/deployments/${offer.id}/status`));
    updates.set(offer.id, {
      deployment: offer.id,
      release,
      deviceTypes,
      artifact: downloads.find((line) => line.answer.status === 200 && !line.answer.broken)?.answer.bytes,
      offeredMs: at_ms,
      reports: reportsIn(reports),
      abortedMs: reports.find((line) => line.answer.status === 409)?.at_ms,
      cuts: downloads.flatMap((line) => (line.answer.broken ? [line.answer.bytes?.size ?? 0] : [])),
    });
  }
  return [...updates.values()];
}

function reportsIn(lines: readonly RecordedLine[]): DeviceUpdate["reports"] {
  const reports: { status: DeviceDeploymentStatus; atMs: number }[] = [];
  for (const { request, answer, at_ms } of lines) {
    const status = StatusReport.safeParse(request.json).data?.status;
    if (status === undefined || answer.status >= 300 || reports.some((report) => report.status === status)) continue;
    reports.push({ status, atMs: at_ms });
  }
  return reports;
}

/** How an update ended, as far as the recording goes. */
export function outcomeOf({ reports }: DeviceUpdate): DeviceDeploymentStatus | undefined {
  return reports.map(({ status }) => status).find((status) => isTerminal(status));
}
