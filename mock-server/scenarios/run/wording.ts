import type { Instant } from "../../faults/language/instants.ts";
import { type EventParts, instantMs } from "../file/index.ts";
import type { DeploymentView } from "./events.ts";

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
] as const;

/** `1d2h`, `3m20s`, `0s`: the two largest units that say something. */
export function durationText(ms: number): string {
  const parts: string[] = [];
  let rest = Math.round(ms);
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
    if (parts.length === 2) break;
  }
  return parts.length === 0 ? (rest > 0 ? `${rest}ms` : "0s") : parts.join("");
}

/** When that was: the time after the start, and by the simulated wall clock. */
export function momentText(atMs: number, startMs: number): string {
  return `${durationText(atMs)} (${new Date(startMs + atMs).toISOString().replace("T", " ").slice(0, 19)})`;
}

/** `day 2 12:00:05.040`, by the simulated wall clock. */
export function clockText(atMs: number, startMs: number): string {
  const day = Math.floor((startMs + atMs) / 86_400_000) - Math.floor(startMs / 86_400_000) + 1;
  return `day ${day} ${new Date(startMs + atMs).toISOString().slice(11, 23)}`;
}

export function instantText(instant: Instant, startMs: number): string {
  return momentText(instantMs(instant, startMs), startMs);
}

/** `inprogress`, or `inprogress, paused: …` with the reason. */
export function deploymentText({ status, paused }: DeploymentView): string {
  return paused === undefined ? status : `${status}, paused: ${paused}`;
}

const ORDINALS: Readonly<Record<number, string>> = { 1: "st", 2: "nd", 3: "rd" };

/** `2nd`, `11th` */
function ordinal(number: number): string {
  const teens = number % 100 >= 11 && number % 100 <= 13;
  return `${number}${teens ? "th" : (ORDINALS[number % 10] ?? "th")}`;
}

/** What an event of the file is, in words. @param nth The number of its occurrence, if it is not the first one. */
export function eventText(parts: EventParts, nth = 1): string {
  return `${happeningText(parts)}${nth === 1 ? "" : ` for the ${ordinal(nth)} time`}`;
}

function happeningText(parts: EventParts): string {
  const who = parts.device ?? `deployment ${parts.deployment}`;
  const of = parts.device !== undefined && parts.deployment !== undefined ? ` (of ${parts.deployment})` : "";
  if (parts.reports !== undefined) return `${who} reports ${parts.reports}${of}`;
  if (parts.state !== undefined) return `deployment ${parts.deployment} is ${parts.state}`;
  if (parts.enters !== undefined) return `${who} enters ${parts.enters}`;
  if (parts.downloads !== undefined) return `${who} has received ${parts.downloads} bytes`;
  if (parts.runs !== undefined) return `${who} runs ${parts.runs}`;
  if (parts.polls !== undefined) return `${who} polls`;
  if (parts.boots !== undefined) return `${who} boots`;
  if (parts.logs !== undefined) return `${who} logs ${JSON.stringify(parts.logs)}`;
  return `${who} does not boot any more`;
}

/** Of a deployment that the server would not create. */
export function refusalText({ deployment, why }: { readonly deployment: string; readonly why: string }): string {
  return `deployment ${deployment} could not be created: ${why}`;
}
