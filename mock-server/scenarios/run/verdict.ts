import { given } from "@upkeep/shared/given";
import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import { presentKeys } from "../../faults/language/one-of.ts";
import type { RequestKind } from "../../faults/language/request-kinds.ts";
import { TIMED, timedEvents } from "../file/expectations.ts";
import { type Counted, type Expectation, instantMs, type Never, type Rate, type Scenario } from "../file/index.ts";
import { EVENT_NAMES, type EventParts } from "../file/triggers.ts";
import type { DeploymentView, RunEvent } from "./events.ts";
import { EventMatcher, isInState } from "./matching.ts";
import { busiest } from "./rates.ts";
import { REQUEST_OF } from "./request-names.ts";
import { deploymentText, durationText, eventText, instantText, momentText, refusalText } from "./wording.ts";

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
    DeploymentView & { readonly statistics: Readonly<Partial<Record<DeviceDeploymentStatus, number>>> }
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
  /** The deployment that it is about, unless it is about a device. */
  readonly deployment?: string;
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
  if (expectation.rate !== undefined) return [judgeRate(expectation.rate, expectation, record)];
  const { device, deployment } = expectation;
  const verdicts: Verdict[] = [];
  if (device !== undefined) verdicts.push(...judgeDevice(device, expectation, record));
  if (deployment !== undefined)
    verdicts.push(...judgeDeployment(deployment, expectation, record).map((verdict) => ({ ...verdict, deployment })));
  return verdicts;
}

/** A forbidden event, or too high a rate, can come until the end of the run. */
export function isLimit(expectation: Expectation): boolean {
  return expectation.never !== undefined || expectation.rate !== undefined;
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
  const { nth = 1 } = never;
  const found = record.events
    .filter((event) => matcher.matches(event))
    .filter(({ atMs }) => atMs >= fromMs && atMs < untilMs)[nth - 1];
  const limits = [
    never.after === undefined ? "" : ` after ${instantText(never.after, startMs)}`,
    never.before === undefined ? "" : ` before ${instantText(never.before, startMs)}`,
  ].join("");
  const expected = `never${limits}: ${eventText(never, nth)}`;
  if (found === undefined) return { expected, met: true, got: "it did not happen" };
  return { expected, met: false, got: `it happened, at ${momentText(found.atMs, startMs)}`, ...placeOf(found) };
}

function judgeRate(rate: Rate, { device, after, before }: Expectation, record: RunRecord): Verdict {
  const { startMs, events } = record;
  const { fromMs, untilMs, text } = windowOf({ after, before }, startMs);
  const counted = events.filter(
    (event) =>
      event.atMs >= fromMs &&
      event.atMs < untilMs &&
      (device === undefined || ("device" in event && event.device === device)),
  );
  const { count, atMs } = busiest(counted, rate);
  const inAny = `in any ${durationText(rate.in)}`;
  const met = count <= rate.at_most;
  return {
    expected: `${device ?? "all devices together"}: at most ${rate.at_most} ${rate.of} ${inAny}${text}`,
    met,
    got: count === 0 ? "none" : `${count} from ${momentText(atMs, startMs)} on`,
    ...(met ? {} : { atMs, ...given({ device }) }),
  };
}

function placeOf(event: RunEvent): Pick<Verdict, "atMs" | "device"> {
  return { atMs: event.atMs, ...("device" in event && event.device !== undefined ? { device: event.device } : {}) };
}

/** When an event must happen, and which occurrence of it. */
type Limits = Parameters<typeof windowOf>[0] & { readonly nth?: number | undefined };

const timesText = (count: number): string => (count === 1 ? "once" : `${count} times`);

/** An event that must happen within its time. */
function judgeEvent(parts: EventParts, limits: Limits, record: RunRecord): Verdict {
  const { startMs, events } = record;
  const { fromMs, untilMs, text } = windowOf(limits, startMs);
  const matcher = new EventMatcher(parts);
  const { nth = 1 } = limits;
  const all = events.filter((event) => matcher.matches(event));
  const expected = `${eventText(parts, nth)}${text}`;
  const found = all[nth - 1];
  // An event with a time must not happen earlier.
  if (found !== undefined && found.atMs < fromMs)
    return { expected, met: false, got: `too early, at ${momentText(found.atMs, startMs)}`, ...placeOf(found) };
  if (found === undefined) {
    const atMs = Math.min(untilMs, record.nowMs);
    const device = parts.device === undefined ? {} : { device: parts.device };
    return {
      expected,
      met: false,
      got: `it has ${all.length === 0 ? "not happened" : `happened ${timesText(all.length)}`} until ${momentText(record.nowMs, startMs)}`,
      atMs,
      ...device,
    };
  }
  const met = found.atMs <= untilMs;
  return { expected, met, got: `at ${momentText(found.atMs, startMs)}`, ...(met ? {} : placeOf(found)) };
}

function judgeDevice(device: string, expectation: Expectation, record: RunRecord): Verdict[] {
  const { statuses, status, provides, counts, received, log, runs } = expectation;
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
  const timed = presentKeys(expectation, TIMED).length > 0;
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
    const got = now !== undefined && Object.hasOwn(now.provides, name) ? now.provides[name] : undefined;
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
    verdicts.push(judgeEvent(parts as EventParts, expectation, record));
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

/** How often a counted event happened to one device. */
function countOf(what: Counted, events: readonly RunEvent[]): number {
  const request = (REQUEST_OF as Readonly<Partial<Record<Counted, RequestKind>>>)[what];
  return events.filter((event) => {
    if (what === "boots") return event.kind === "boot";
    if (request !== undefined) return event.kind === "exchange" && event.request === request;
    return event.kind === "module" && event.call === what;
  }).length;
}

function judgeDeployment(deployment: string, expectation: Expectation, record: RunRecord): Verdict[] {
  const { statistics, state, devices } = expectation;
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
  if (presentKeys(expectation, TIMED).length > 0)
    verdicts.push(judgeEvent({ deployment, state } as EventParts, expectation, record));
  else
    verdicts.push({
      expected: `${deployment} is ${state} at the end`,
      met: now !== undefined && isInState(now, state),
      got: now === undefined ? "not created" : deploymentText(now),
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
