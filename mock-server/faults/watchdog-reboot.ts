import { defineFault } from "./fault.ts";
import { isStep, Moment } from "./language/moments.ts";
import { INSIDE_THE_DEVICE } from "./language/places.ts";

export const watchdogReboot = defineFault("power", {
  meaning:
    "The watchdog resets the machine at this moment of an update, or again and again, as when a program of the device hangs.",
  value: Moment,
  where: INSIDE_THE_DEVICE,
  limits: [
    {
      what: "watchdog_reboot at a durable step",
      of: isStep,
      reasons: { real: "only a simulated disk counts them" },
    },
  ],
  once: ({ every }) => every === undefined,
  effect: (moment) => ({ kind: "interruption", moment, does: "reset", offMs: 0, leaves: undefined }),
});
