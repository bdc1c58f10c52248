import * as z from "zod";
import { checkFault, faultOf, faultShape } from "../../faults/entry.ts";
import { Trigger } from "./triggers.ts";

/** The keys of a fault in a scenario. */
export const faultKeys = {
  ...faultShape,
  when: Trigger.optional().meta({
    description: "Only from this event on. With device: each, for each device from its own event on",
  }),
};

/** A fault of a scenario, which may wait for an event of it. */
export const ScenarioFault = z
  .strictObject(faultKeys)
  .superRefine(({ when, ...fault }, context) => {
    checkFault(fault, context as z.core.$RefinementCtx<typeof fault>);
    if (when === undefined || fault.on) return;
    const message = "only one of when, on: no";
    context.addIssue({ code: "custom", message, params: { expected: true }, path: ["on"], input: fault });
  })
  .transform(({ when, ...fault }) => ({ ...faultOf(fault), when }));
export type ScenarioFault = z.output<typeof ScenarioFault>;
