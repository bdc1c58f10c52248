import { DEPLOYMENT_STATUSES } from "@upkeep/shared/protocol";
import * as z from "zod";
import { AgentState, DeviceStatus } from "../../faults/language/names.ts";
import { exactlyOne } from "../../faults/language/one-of.ts";
import { Count, Duration, Size } from "../../faults/language/quantities.ts";

/** The states of a deployment: its statuses, and `paused`, which an unfinished one can be besides. */
const DEPLOYMENT_STATES = [...DEPLOYMENT_STATUSES, "paused"] as const;
export const DeploymentState = z.enum(DEPLOYMENT_STATES, { error: `one of ${DEPLOYMENT_STATES.join(", ")}` });
export type DeploymentState = z.output<typeof DeploymentState>;

/** Something that can happen to a device: exactly one of these keys. */
export const DEVICE_EVENTS = {
  reports: DeviceStatus.meta({ description: "The device's deployment gets this status at the server" }),
  enters: AgentState.meta({ description: "The agent enters this state" }),
  downloads: Size.meta({ description: "This much of an artifact has arrived" }),
  runs: z.string().min(1).meta({ description: "This artifact is installed for good, and runs" }),
  polls: z.literal(true, { error: "true" }).meta({ description: "It asks for a deployment" }),
  boots: z.literal(true, { error: "true" }).meta({ description: "It starts" }),
  logs: z.string().min(1).meta({ description: "The agent's log, or the log it sends, has this text" }),
  does_not_boot: z.literal(true, { error: "true" }).meta({ description: "Nothing on it boots any more" }),
} as const;

export const DEVICE_EVENT_NAMES = Object.keys(DEVICE_EVENTS) as readonly (keyof typeof DEVICE_EVENTS)[];

const deviceEvents = Object.fromEntries(
  Object.entries(DEVICE_EVENTS).map(([name, schema]) => [name, schema.optional()]),
) as { [K in keyof typeof DEVICE_EVENTS]: z.ZodOptional<(typeof DEVICE_EVENTS)[K]> };

/** An event as the file names it: of a device, or of a deployment. */
export const eventShape = {
  device: z.string().min(1).optional().meta({ description: "A device's name, or any: one of them, whichever it is" }),
  deployment: z.string().min(1).optional(),
  state: DeploymentState.optional().meta({ description: "The deployment gets this status, or is paused" }),
  ...deviceEvents,
};

/** The parts of an event as {@link eventShape} reads them. */
export type EventParts = z.output<z.ZodObject<typeof eventShape>>;

export const EVENT_NAMES: readonly string[] = [...DEVICE_EVENT_NAMES, "state"];

export const nth = Count.optional().meta({ description: "The nth time that the event happens; the first if absent" });

/** What starts an action: an event, its nth occurrence, or a time after it. */
export const Trigger = z
  .strictObject({
    ...eventShape,
    nth,
    after: Duration.optional().meta({ description: "The time after the event" }),
  })
  .superRefine(exactlyOne(EVENT_NAMES));
export type Trigger = z.output<typeof Trigger>;
