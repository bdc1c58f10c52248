import { defineFault } from "./fault.ts";
import { AheadOrBehind } from "./language/moments.ts";
import { simulatedOnly } from "./language/places.ts";

export const wrongClock = defineFault("clock", {
  meaning: "The device's wall clock is wrong: ahead or behind by this much.",
  value: AheadOrBehind,
  where: simulatedOnly("all devices have the clock of this machine"),
  effect: ({ ahead = 0, behind = 0 }) => ({ aheadMs: ahead - behind }),
});
