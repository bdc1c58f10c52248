import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import { Instant, WallDate } from "../../faults/language/instants.ts";
import { LeftBehind } from "../../faults/language/moments.ts";
import { exactlyOne, presentKeys } from "../../faults/language/one-of.ts";
import { Duration } from "../../faults/language/quantities.ts";
import { Issuer } from "./settings.ts";
import { Trigger } from "./triggers.ts";

const DEVICE_HINT = "a device's name";
const Device = z.string({ error: DEVICE_HINT }).min(1, { error: DEVICE_HINT });
const DEPLOYMENT_HINT = "a deployment's name";
const DeploymentName = z.string({ error: DEPLOYMENT_HINT }).min(1, { error: DEPLOYMENT_HINT });
const FAULT_HINT = "the name of a fault";
const FaultLabel = z.string({ error: FAULT_HINT }).min(1, { error: FAULT_HINT });

/** The actions of a timeline. */
export const ACTIONS = {
  power_cut: z
    .union([
      Device.transform((device) => ({ device, leaves: undefined, for: 10_000 })),
      z.strictObject({ device: Device, leaves: LeftBehind.optional(), for: Duration.default(10_000) }),
    ])
    .meta({ description: "The device loses its power, and gets it back after a while (10s)" }),
  switch_off: Device.meta({ description: "The device loses its power for good, or until switch_on" }),
  switch_on: Device,
  kill_agent: Device.meta({ description: "SIGKILL; the service manager starts the agent again" }),
  check_update: Device.meta({ description: "The agent is told to ask for a deployment now (SIGUSR1)" }),
  send_inventory: Device.meta({ description: "The agent is told to send its inventory now (SIGUSR2)" }),
  set_inventory: z
    .strictObject({
      device: Device,
      attributes: recordOf(z.union([z.string(), z.number(), z.array(z.string())])),
    })
    .meta({ description: "The device has these inventory attributes from now on; it sends them when it next does" }),
  clock: z
    .strictObject({ device: Device, to: WallDate.optional(), ahead: Duration.optional(), behind: Duration.optional() })
    .refine((value) => presentKeys(value, ["to", "ahead", "behind"]).length === 1, {
      error: "exactly one of to, ahead, behind",
    })
    .meta({ description: "The device's wall clock is set" }),
  abort: DeploymentName.meta({ description: "A person aborts the deployment" }),
  finish: DeploymentName.meta({ description: "A person finishes a deployment to a filter" }),
  pause: DeploymentName.meta({ description: "A person pauses the deployment" }),
  resume: DeploymentName.meta({ description: "A person resumes the deployment" }),
  accept: Device,
  reject: Device,
  decommission: Device,
  move_to_group: z.strictObject({ device: Device, group: z.string().min(1) }),
  delete_release: z.string().min(1),
  kill_server: z
    .strictObject({ back_after: Duration })
    .meta({ description: "The server is killed, and started again after this time" }),
  server_clock: z
    .strictObject({ ahead: Duration.optional(), behind: Duration.optional() })
    .refine((value) => presentKeys(value, ["ahead", "behind"]).length === 1, { error: "exactly one of ahead, behind" })
    .meta({ description: "The server's wall clock jumps ahead or back by this time" }),
  renew_certificate: z.strictObject({ issuer: Issuer.optional(), until: Instant.optional() }).meta({
    description:
      "The server has a new certificate: of this issuer (the same if absent), until then (400d after the start if absent)",
  }),
  start_fault: FaultLabel.meta({ description: "The fault of this name is on" }),
  stop_fault: FaultLabel.meta({ description: "The fault of this name is off" }),
} as const;

export type ActionName = keyof typeof ACTIONS;
export const ACTION_NAMES = Object.keys(ACTIONS) as readonly ActionName[];

/** An action with its value. */
export type Action = {
  [N in ActionName]: { readonly action: N; readonly value: z.output<(typeof ACTIONS)[N]> };
}[ActionName];

const shape = Object.fromEntries(Object.entries(ACTIONS).map(([name, schema]) => [name, schema.optional()])) as {
  [N in ActionName]: z.ZodOptional<(typeof ACTIONS)[N]>;
};

export const Do = z
  .strictObject(shape)
  .superRefine(exactlyOne(ACTION_NAMES))
  .transform((value): Action => {
    const [action = "power_cut"] = presentKeys(value, ACTION_NAMES);
    return { action, value: value[action] } as Action;
  });

/** Actions on one device: their value is its name, or has it as `device`. */
const DEVICE_ACTIONS: readonly ActionName[] = [
  "power_cut",
  "switch_off",
  "switch_on",
  "kill_agent",
  "check_update",
  "send_inventory",
  "set_inventory",
  "clock",
  "accept",
  "reject",
  "decommission",
  "move_to_group",
];

/** The device that an action is about, if it is about one. */
export function deviceOfAction({ action, value }: Action): string | undefined {
  if (!DEVICE_ACTIONS.includes(action)) return undefined;
  return typeof value === "object" && "device" in value ? value.device : String(value);
}

/** The same action on another device. */
export function withDevice(action: Action, device: string): Action {
  if (deviceOfAction(action) === undefined) return action;
  const value = typeof action.value === "object" ? { ...action.value, device } : device;
  // The value keeps its form.
  return { ...action, value } as Action;
}

export const TimelineEntry = z
  .strictObject({
    each: z.string().min(1).optional().meta({
      description:
        "The step is done for each device of this row of the fleet, or of this group (all: every device); in when and do, each stands for its name",
    }),
    at: Instant.optional(),
    when: Trigger.optional(),
    do: Do,
  })
  .superRefine(exactlyOne(["at", "when"]));
export type TimelineEntry = z.output<typeof TimelineEntry>;
