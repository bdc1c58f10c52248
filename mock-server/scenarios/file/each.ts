import type { Expectation } from "./expectations.ts";
import type { ScenarioFault } from "./faults.ts";
import { deviceNames } from "./fleet.ts";
import type { Scenario } from "./scenario.ts";
import { deviceOfAction, type TimelineEntry, withDevice } from "./timeline.ts";
import type { Trigger } from "./triggers.ts";

/** Every device of the fleet. */
const ALL = "all";
/** Stands for the name of each device, in a step and in the event that a fault waits for. */
export const EACH = "each";

type Fleet = Pick<Scenario, "fleet">;

/** The names that `each` may have. */
export function eachNames({ fleet }: Fleet): string[] {
  const groups = fleet.flatMap(({ group }) => (group === undefined ? [] : [group]));
  return [...new Set([ALL, ...fleet.map(({ name }) => name), ...groups])];
}

/** The devices of a row or group, all of them, or the one of this name. */
function devicesOf({ fleet }: Fleet, each: string): string[] {
  const rows = fleet.filter(({ name }) => name === each);
  if (rows.length > 0) return rows.flatMap(deviceNames);
  const members = fleet.filter(({ group }) => each === ALL || group === each).flatMap(deviceNames);
  return members.length > 0 ? members : fleet.flatMap(deviceNames).filter((name) => name === each);
}

/** What is said of each device of several, as if it were said of every one of them. */
export function withEveryDevice(scenario: Scenario): Scenario {
  return {
    ...scenario,
    expect: scenario.expect.flatMap((expectation) => expectationsOf(scenario, expectation)),
    timeline: scenario.timeline.flatMap((entry) => stepsOf(scenario, entry)),
    faults: scenario.faults.flatMap((fault) => faultsOf(scenario, fault)),
  };
}

function expectationsOf(fleet: Fleet, expectation: Expectation): Expectation[] {
  const { each, never, ...rest } = expectation;
  if (never?.each !== undefined) {
    const { each: of, ...event } = never;
    return devicesOf(fleet, of).map((device) => ({ never: { ...event, device } }));
  }
  return each === undefined ? [expectation] : devicesOf(fleet, each).map((device) => ({ ...rest, device }));
}

function stepsOf(fleet: Fleet, entry: TimelineEntry): TimelineEntry[] {
  const { each, ...step } = entry;
  if (each === undefined) return [entry];
  return devicesOf(fleet, each).map((device) => ({
    ...step,
    when: step.when && ofDevice(step.when, device),
    do: deviceOfAction(step.do) === EACH ? withDevice(step.do, device) : step.do,
  }));
}

function faultsOf(fleet: Fleet, fault: ScenarioFault): ScenarioFault[] {
  const devices = fault.devices && [...new Set(fault.devices.flatMap((name) => devicesOf(fleet, name)))];
  const { when } = fault;
  if (when?.device !== EACH) return [{ ...fault, devices }];
  return (devices ?? devicesOf(fleet, ALL)).map((device) => ({
    ...fault,
    devices: [device],
    when: ofDevice(when, device),
  }));
}

function ofDevice(trigger: Trigger, device: string): Trigger {
  return trigger.device === EACH ? { ...trigger, device } : trigger;
}
