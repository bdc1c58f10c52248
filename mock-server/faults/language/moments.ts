import * as z from "zod";
import { AgentState } from "./names.ts";
import { Count, Duration } from "./quantities.ts";

/** How a loss shows on the connection. */
export const By = z
  .enum(["reset", "silence"])
  .meta({ id: "Loss", description: "reset: ECONNRESET; silence: the connection just stalls" });

/** What of the writes that were not synced is on the disk after the power has gone. */
export const LEFT_BEHIND = ["nothing", "everything", "torn", "zeros", "names", "chance"] as const;
export const LeftBehind = z.enum(LEFT_BEHIND).meta({
  id: "LeftBehind",
  description:
    "What of unsynced writes survives: nothing, everything, torn (each half), zeros (in their place), " +
    "names (files, without their content), chance (the seed decides)",
});
export type LeftBehind = z.output<typeof LeftBehind>;

/** The keys of a moment of an update at which something happens to the device. */
export const momentShape = {
  before: AgentState.optional().meta({ description: "When the agent is about to enter this state" }),
  during: AgentState.optional().meta({ description: "In the middle of this state" }),
  after: AgentState.optional().meta({ description: "When the agent has left this state" }),
  before_step: Count.optional().meta({ description: "Before the nth durable step (sync, rename) of an update" }),
  after_step: Count.optional().meta({ description: "After the nth durable step (sync, rename) of an update" }),
  every: Duration.optional().meta({
    description: "Again and again, each time when the device has been up for this long with the software that it runs",
  }),
};
export type UpdateMoment = z.output<z.ZodObject<typeof momentShape>>;

const MOMENTS = Object.keys(momentShape);

export function exactlyOneMoment(value: Readonly<Record<string, unknown>>): boolean {
  return MOMENTS.filter((name) => value[name] !== undefined).length === 1;
}
export const ONE_MOMENT = { error: `exactly one of ${MOMENTS.join(", ")}` };

/** A moment and nothing else. */
export const Moment = z.strictObject(momentShape).refine(exactlyOneMoment, ONE_MOMENT);

/** Exactly one of `ahead` and `behind`. */
export const AheadOrBehind = z
  .strictObject({ ahead: Duration.optional(), behind: Duration.optional() })
  .refine((value) => (value.ahead === undefined) !== (value.behind === undefined), {
    error: "exactly one of ahead, behind",
  });

/** True of a moment that only a simulated disk can tell. */
export function isStep({ before_step, after_step }: UpdateMoment): boolean {
  return before_step !== undefined || after_step !== undefined;
}
