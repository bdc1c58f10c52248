import type { RunEvent } from "../../run/events.ts";
import type { RunResult } from "../../run/result.ts";

/** Lanes for devices of any outcome. */
const LANES_MAX = 50;
/** Further lanes for devices that failed. */
const FAILED_MAX = 50;

/** The drawn devices in the order of the fleet, and the number of omitted ones. */
export interface Shown {
  readonly devices: readonly string[];
  readonly leftOut: number;
  /** Failed devices among the omitted ones. */
  readonly failedLeftOut: number;
}

/** The first devices of the fleet, those named by an unmet expectation, and those whose update failed. */
export function shownDevices({ software, events, verdicts }: RunResult): Shown {
  const ended = new Map(events.flatMap((event) => (event.kind === "status" ? [[event.device, event.status]] : [])));
  const all = [...new Set([...software.keys(), ...events.flatMap(deviceOf)])];
  const missed = new Set(verdicts.flatMap(({ met, device }) => (met || device === undefined ? [] : [device])));
  const later = all.slice(LANES_MAX);
  const failed = [
    ...later.filter((name) => missed.has(name)),
    ...later.filter((name) => !missed.has(name) && ended.get(name) === "failure"),
  ];
  const more = new Set(failed.slice(0, FAILED_MAX));
  const devices = all.filter((name, index) => index < LANES_MAX || more.has(name));
  return {
    devices,
    leftOut: all.length - devices.length,
    failedLeftOut: failed.length - more.size,
  };
}

/** The device of an event, if it has one. */
export function deviceOf(event: RunEvent): string[] {
  return "device" in event && event.device !== undefined ? [event.device] : [];
}

/** Describes the omitted devices. */
export function leftOutText({ devices, leftOut, failedLeftOut }: Shown): string | undefined {
  if (leftOut === 0) return undefined;
  const failed = failedLeftOut === 0 ? "none of them failed" : `${failedLeftOut} of them failed`;
  return `${devices.length} devices are drawn: the first of the fleet, and those that failed. ${leftOut} more are not; ${failed}.`;
}
