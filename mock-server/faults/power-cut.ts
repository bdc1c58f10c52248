import * as z from "zod";
import { defineFault } from "./fault.ts";
import { exactlyOneMoment, isStep, LeftBehind, momentShape, ONE_MOMENT } from "./language/moments.ts";
import { INSIDE_THE_DEVICE } from "./language/places.ts";
import { Duration } from "./language/quantities.ts";

/** How long the power is away unless the file says so. */
const OFF_MS = 10_000;
const OUT_OF_REACH = "the power of the device is not in our hands";

export const powerCut = defineFault("power", {
  meaning:
    "The device loses its power at this moment of an update, or again and again, and gets it back a little later.",
  value: z
    .strictObject({
      ...momentShape,
      leaves: LeftBehind.optional(),
      for: Duration.optional().meta({ description: "How long there is none; 10s if absent" }),
    })
    .refine(exactlyOneMoment, ONE_MOMENT),
  where: { ...INSIDE_THE_DEVICE, attached: OUT_OF_REACH, control: OUT_OF_REACH },
  limits: [
    {
      what: "power_cut at a durable step",
      of: isStep,
      reasons: { real: "only a simulated disk counts them" },
    },
    {
      what: "power_cut with leaves",
      of: ({ leaves }) => leaves !== undefined,
      reasons: { real: "only a simulated disk loses what was not synced" },
    },
  ],
  differs: { real: "every write that the programs have made is on the disk afterwards" },
  once: ({ every }) => every === undefined,
  effect: ({ leaves, for: offMs = OFF_MS, ...moment }) => ({
    kind: "interruption",
    moment,
    does: "cut",
    offMs,
    leaves,
  }),
});
