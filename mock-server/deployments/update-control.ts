import { invalid } from "../errors.ts";

/** The states of an update before which a device can pause. */
export const CONTROLLED_STATES = ["ArtifactInstall_Enter", "ArtifactReboot_Enter", "ArtifactCommit_Enter"] as const;
export type ControlledState = (typeof CONTROLLED_STATES)[number];

/** What a device does when it reaches a state. */
export const CONTROL_ACTIONS = ["continue", "force_continue", "pause", "fail"] as const;
export type ControlAction = (typeof CONTROL_ACTIONS)[number];
/** The actions that apply when the map has expired: a device cannot pause then. */
export type ControlFollowUp = Exclude<ControlAction, "pause">;

export interface StateControl {
  /** Default: continue. */
  readonly action?: ControlAction;
  /** Applies when the map has expired on the device. Default: `action`, or `fail` if that is `pause`. */
  readonly on_map_expire?: ControlFollowUp;
  /** Applies when the device reaches the state again. Default: `action`. */
  readonly on_action_executed?: ControlAction;
}

/** Where the devices of a deployment pause. Keys and values are those of the protocol. */
export interface UpdateControlMap {
  /** From -10 to 10; of several maps on a device, the highest priority wins. Default: 0. */
  readonly priority?: number;
  readonly states?: Readonly<Partial<Record<ControlledState, StateControl>>>;
}

/** The map as a device gets it. */
export interface HandedControlMap extends UpdateControlMap {
  /** Of the deployment. */
  readonly id: string;
}

const PRIORITY_MAX = 10;

/** @throws DomainError (invalid) that names the field and its value. */
export function checkControlMap({ priority = 0, states = {} }: UpdateControlMap): void {
  if (!Number.isInteger(priority) || Math.abs(priority) > PRIORITY_MAX) {
    throw invalid(
      `update_control_map.priority: must be a whole number between -${PRIORITY_MAX} and ${PRIORITY_MAX}, not ${priority}`,
    );
  }
  for (const [state, control] of Object.entries(states)) {
    const field = `update_control_map.states.${state}`;
    if (!includes(CONTROLLED_STATES, state)) {
      throw invalid(`${field}: there is no such state; there are ${CONTROLLED_STATES.join(", ")}`);
    }
    checkAction(`${field}.action`, control.action, CONTROL_ACTIONS);
    checkAction(`${field}.on_action_executed`, control.on_action_executed, CONTROL_ACTIONS);
    checkAction(
      `${field}.on_map_expire`,
      control.on_map_expire,
      CONTROL_ACTIONS.filter((action) => action !== "pause"),
    );
  }
}

function checkAction(field: string, action: string | undefined, known: readonly string[]): void {
  if (action === undefined || known.includes(action)) return;
  throw invalid(`${field}: must be one of ${known.join(", ")}, not "${action}"`);
}

function includes<T extends string>(known: readonly T[], value: string): value is T {
  return (known as readonly string[]).includes(value);
}

/** A copy of the map without pauses. @param states Default: all states. */
export function withoutPause(map: UpdateControlMap, states: readonly ControlledState[] = CONTROLLED_STATES) {
  const entries = Object.entries(map.states ?? {}).map(([state, control]) => {
    const released = includes(states, state) && (control.action === "pause" || control.on_action_executed === "pause");
    return [state, released ? { ...control, action: "force_continue", on_action_executed: "continue" } : control];
  });
  return { ...map, states: Object.fromEntries(entries) as UpdateControlMap["states"] & object };
}
