import type { DeploymentStatus, DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import { timedEvents } from "../file/expectations.ts";
import { type Counted, type Expectation, instantMs, type Never, type Scenario } from "../file/index.ts";
import { EVENT_NAMES, type EventParts } from "../file/triggers.ts";
import type { RunEvent } from "./events.ts";
import { EventMatcher } from "./matching.ts";
import { durationText, eventText, instantText, momentText, refusalText } from "./wording.ts";

/** The facts of a run, at its end or before. */
export interface RunRecord {
  readonly startMs: number;
  readonly nowMs: number;
  readonly events: readonly RunEvent[];
  /** What each device runs and provides now. */
  readonly devices: ReadonlyMap<
    string,
    { readonly software: string; readonly provides: Readonly<Record<string, string>> }
  >;
  readonly deployments: ReadonlyMap<
    string,
    {
      readonly status: DeploymentStatus;
      readonly statistics: Readonly<Partial<Record<DeviceDeploymentStatus, number>>>;
    }
  >;
}

/** The result of one expectation. */
export interface Verdict {
  /** What was expected, in words. */
  readonly expected: string;
  readonly met: boolean;
  /** The actual facts. */
  readonly got: string;
  /** Where it went another way: milliseconds after the start. */
  readonly atMs?: number;
  readonly device?: string;
}

/** Judges every expectation of a scenario, and that its deployments could be created. */
export function verdictsOf({ expect }: Scenario, record: RunRecord): Verdict[] {
  const refused = record.events.flatMap((event): Verdict[] =>
    event.kind !== "refused"
      ? []
      : [
          {
            expected: `deployment ${event.deployment} is created`,
            met: false,
            got: refusalText(event),
            atMs: event.atMs,
          },
        ],
  );
  return [...refused, ...expect.flatMap((expectation) => judge(expectation, record))];
}

/** Judges one expectation: a verdict for each fact that it names. */
export function judge(expectation: Expectation, record: RunRecord): Verdict[] {
  if (expectation.never !== undefined) return [judgeNever(expectation.never, record)];
  const { device, deployment } = expectation;
  const verdicts: Verdict[] = [];
  if (device !== undefined) verdicts.push(...judgeDevice(device, expectation, record));
  if (deployment !== undefined) verdicts.push(...judgeDeployment(deployment, expectation, record));
  return verdicts;
}

/** A forbidden event can happen until the end of the run. */
export function isNever(expectation: Expectation): boolean {
  return expectation.never !== undefined;
}

function windowOf(
  { after, before, within }: { after?: Never["after"]; before?: Never["before"]; within?: number | undefined },
  startMs: number,
): { readonly fromMs: number; readonly untilMs: number; readonly text: string } {
  const fromMs = after === undefined ? 0 : instantMs(after, startMs);
  const untilMs = before === undefined ? (within ?? Number.POSITIVE_INFINITY) : instantMs(before, startMs);
  const text = [
    within === undefined ? "" : ` within ${durationText(within)}`,
    after === undefined ? "" : ` not before ${instantText(after, startMs)}`,
    before === undefined ? "" : ` before ${instantText(before, startMs)}`,
  ].join("");
  return { fromMs, untilMs, text };
}

function judgeNever(never: Never, record: RunRecord): Verdict {
  const { startMs } = record;
  const { fromMs, untilMs } = windowOf(never, startMs);
  const matcher = new EventMatcher(never);
  const found = record.events
    .filter((event) => matcher.matches(event))
    .find(({ atMs }) => atMs >= fromMs && atMs < untilMs);
  const limits = [
    never.after === undefined ? "" : ` after ${instantText(never.after, startMs)}`,
    never.before === undefined ? "" : ` before ${instantText(never.before, startMs)}`,
  ].join("");
  const expected = `never${limits}: ${eventText(never)}`;
  if (found === undefined) return { expected, met: true, got: "it did not happen" };
  return { expected, met: false, got: `it happened, at ${momentText(found.atMs, startMs)}`, ...placeOf(found) };
}

function placeOf(event: RunEvent): Pick<Verdict, "atMs" | "device"> {
  return { atMs: event.atMs, ...("device" in event && event.device !== undefined ? { device: event.device } : {}) };
}

/** An event that must happen within its time. */
function judgeEvent(parts: EventParts, limits: Parameters<typeof windowOf>[0], record: RunRecord): Verdict {
  const { startMs, events } = record;
  const { fromMs, untilMs, text } = windowOf(limits, startMs);
  const matcher = new EventMatcher(parts);
  const all = events.filter((event) => matcher.matches(event));
  const expected = `${eventText(parts)}${text}`;
  const early = all.find(({ atMs }) => atMs < fromMs);
  // An event with a time must not happen earlier.
  if (early !== undefined)
    return { expected, met: false, got: `too early, at ${momentText(early.atMs, startMs)}`, ...placeOf(early) };
  const [first] = all;
  if (first === undefined) {
    const atMs = Math.min(untilMs, record.nowMs);
    const device = parts.device === undefined ? {} : { device: parts.device };
    return {
      expected,
      met: false,
      got: `it has not happened until ${momentText(record.nowMs, startMs)}`,
      atMs,
      ...device,
    };
  }
  const met = first.atMs <= untilMs;
  return { expected, met, got: `at ${momentText(first.atMs, startMs)}`, ...(met ? {} : placeOf(first)) };
}

function judgeDevice(device: string, expectation: Expectation, record: RunRecord): Verdict[] {
  const { statuses, status, provides, counts, received, log, runs, within, after, before } = expectation;
  const mine = record.events.filter((event) => "device" in event && event.device === device);
  const told = mine
    .filter((event) => event.kind === "status")
    .filter((event) => expectation.deployment === undefined || event.deployment === expectation.deployment);
  const verdicts: Verdict[] = [];
  if (statuses !== undefined) verdicts.push(judgeStatuses(device, statuses, told));
  if (status !== undefined) {
    const last = told.at(-1);
    verdicts.push({
      expected: `${device} ends with ${status}`,
      ...same(last?.status ?? "no status", status),
      device,
      atMs: last?.atMs ?? 0,
    });
  }
  const timed = within !== undefined || after !== undefined || before !== undefined;
  const runsIsTimed = timed && timedEvents(expectation).includes("runs");
  const now = record.devices.get(device);
  if (runs !== undefined && !runsIsTimed)
    verdicts.push({
      expected: `${device} runs ${runs} at the end`,
      ...same(now?.software ?? "nothing", runs),
      device,
      atMs: record.nowMs,
    });
  for (const [name, value] of Object.entries(provides ?? {})) {
    const got = now?.provides[name];
    verdicts.push({
      expected: `${device} provides ${value === null ? `no ${name}` : `${name}=${value}`}`,
      ...same(got ?? "nothing", value ?? "nothing"),
      device,
      atMs: record.nowMs,
    });
  }
  for (const [what, bounds] of Object.entries(counts ?? {}))
    verdicts.push(judgeBounds(`${device}: ${what}`, bounds, countOf(what as Counted, mine), "", device));
  if (received !== undefined) {
    const bytes = mine.reduce((sum, event) => (event.kind === "bytes" ? sum + event.bytes : sum), 0);
    verdicts.push(judgeBounds(`${device}: received`, received, bytes, " bytes", device));
  }
  const sent = mine.flatMap((event) => (event.kind === "log" ? event.messages : []));
  for (const text of log === undefined ? [] : [log].flat()) {
    const met = sent.some(({ message }) => message.includes(text));
    const got = met ? "it does" : sent.length === 0 ? "it sent no log" : `it has ${sent.length} other messages`;
    verdicts.push({
      expected: `the log that ${device} sent has ${JSON.stringify(text)}`,
      met,
      got,
      device,
      atMs: record.nowMs,
    });
  }
  for (const name of EVENT_NAMES) {
    if (name === "state" || (name === "runs" && !runsIsTimed) || expectation[name as keyof EventParts] === undefined)
      continue;
    const parts = { device, deployment: expectation.deployment, [name]: expectation[name as keyof EventParts] };
    verdicts.push(judgeEvent(parts as EventParts, { after, before, within }, record));
  }
  return verdicts;
}

function same(got: string, wanted: string): Pick<Verdict, "met" | "got"> {
  return { met: got === wanted, got };
}

function judgeStatuses(
  device: string,
  wanted: readonly string[],
  told: readonly (RunEvent & { readonly kind: "status" })[],
): Verdict {
  const seen = told.filter(({ status }) => status !== "pending" || wanted.includes("pending"));
  const expected = `${device}: ${wanted.join(" → ")}`;
  const got = seen.length === 0 ? "no status" : seen.map(({ status }) => status).join(" → ");
  const differs = Array.from({ length: Math.max(wanted.length, seen.length) }, (_, index) => index).find(
    (index) => seen[index]?.status !== wanted[index],
  );
  if (differs === undefined) return { expected, met: true, got };
  return { expected, met: false, got, device, atMs: (seen[differs] ?? seen.at(-1))?.atMs ?? 0 };
}

function judgeBounds(
  what: string,
  { at_least, at_most }: { readonly at_least?: number | undefined; readonly at_most?: number | undefined },
  count: number,
  unit: string,
  device: string,
): Verdict {
  const wanted =
    at_least === at_most
      ? `${at_least}`
      : [at_least === undefined ? "" : `at least ${at_least}`, at_most === undefined ? "" : `at most ${at_most}`]
          .filter((part) => part !== "")
          .join(", ");
  const met = count >= (at_least ?? 0) && count <= (at_most ?? Number.POSITIVE_INFINITY);
  return { expected: `${what}: ${wanted}${unit}`, met, got: `${count}${unit}`, device };
}

const REQUESTS: Readonly<Partial<Record<Counted, string>>> = {
  polls: "poll",
  logins: "auth",
  downloads: "download",
  status_reports: "status",
  inventories: "inventory",
  logs_sent: "log",
};

/** How often a counted event happened to one device. */
function countOf(what: Counted, events: readonly RunEvent[]): number {
  const request = REQUESTS[what];
  return events.filter((event) => {
    if (what === "boots") return event.kind === "boot";
    if (request !== undefined) return event.kind === "exchange" && event.request === request;
    return event.kind === "module" && event.call === what;
  }).length;
}

function judgeDeployment(deployment: string, expectation: Expectation, record: RunRecord): Verdict[] {
  const { statistics, state, devices, within, after, before } = expectation;
  const now = record.deployments.get(deployment);
  const atMs = record.nowMs;
  const verdicts: Verdict[] = [];
  if (statistics !== undefined) {
    const counted = nonZero(now?.statistics ?? {});
    const wanted = nonZero(statistics);
    verdicts.push({
      expected: `${deployment}: ${wanted === "" ? "no device" : wanted}`,
      met: now !== undefined && counted === wanted,
      got: now === undefined ? "it was not created" : counted === "" ? "no device" : counted,
      atMs,
    });
  }
  if (devices !== undefined) {
    const count = Object.values(now?.statistics ?? {}).reduce((sum, one) => sum + one, 0);
    verdicts.push({
      expected: `${deployment}: ${devices} devices`,
      met: now !== undefined && count === devices,
      got: now === undefined ? "it was not created" : `${count} devices`,
      atMs,
    });
  }
  if (state === undefined) return verdicts;
  const timed = within !== undefined || after !== undefined || before !== undefined;
  if (timed) verdicts.push(judgeEvent({ deployment, state } as EventParts, { after, before, within }, record));
  else
    verdicts.push({
      expected: `${deployment} is ${state} at the end`,
      ...same(now?.status ?? "not created", state),
      atMs,
    });
  return verdicts;
}

/** `success 3, failure 1`, in one order. */
function nonZero(statistics: Readonly<Partial<Record<string, number>>>): string {
  return Object.entries(statistics)
    .filter(([, count]) => (count ?? 0) > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([status, count]) => `${status} ${count}`)
    .join(", ");
}
