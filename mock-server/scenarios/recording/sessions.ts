import {
  DeploymentInstructions,
  type DeviceDeploymentStatus,
  isTerminal,
  recordOf,
  StatusReport,
} from "@upkeep/shared/protocol";
import * as z from "zod";
import { type ExchangeKind, exchangeKind } from "../wire/kinds.ts";
import type { RecordedBytes, RecordedLine, Recording } from "./format.ts";

/** The course of one deployment on a device. */
export interface DeviceUpdate {
  readonly deployment: string;
  readonly release: string;
  readonly deviceTypes: readonly string[];
  /** The downloaded artifact, if the recording has all of it. */
  readonly artifact: RecordedBytes | undefined;
  /** Time of the offer, in milliseconds since the recording began. */
  readonly offeredMs: number;
  /** The statuses that the server accepted, with their times; repetitions are omitted. */
  readonly reports: readonly { readonly status: DeviceDeploymentStatus; readonly atMs: number }[];
  /** Time at which the server answered that the deployment was aborted. */
  readonly abortedMs: number | undefined;
  /** Byte positions at which downloads broke. */
  readonly cuts: readonly number[];
}

/** An error answer by the server or an intermediary that is no proper answer to the request. */
export interface Refusal {
  readonly kind: ExchangeKind;
  readonly status: number;
  readonly retryAfterS: number | undefined;
  readonly atMs: number;
}

/** One device's behaviour in a recording. */
export interface DeviceSession {
  readonly name: string;
  readonly type: string;
  readonly provides: Readonly<Record<string, string>>;
  /** Absent if it polled only once. */
  readonly pollMs: number | undefined;
  /** Times of the first refusal and of the first acceptance. */
  readonly refusedMs: number | undefined;
  readonly acceptedMs: number | undefined;
  readonly updates: readonly DeviceUpdate[];
  readonly refusals: readonly Refusal[];
}

const Poll = z.object({ device_provides: recordOf(z.string()) });
const PASSING_STATUSES = new Set([403, 413, 429]);

const kindOf = (line: RecordedLine): ExchangeKind =>
  line.request.path.startsWith("<") ? "download" : exchangeKind(line.request.path);

/** Derives each device's behaviour from its recorded exchanges. */
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

/** The last known status of an update. */
export function outcomeOf({ reports }: DeviceUpdate): DeviceDeploymentStatus | undefined {
  return reports.map(({ status }) => status).find((status) => isTerminal(status));
}
