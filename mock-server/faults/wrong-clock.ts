import { defineFault } from "./fault.ts";
import { AheadOrBehind } from "./language/moments.ts";
import { INSIDE_THE_DEVICE } from "./language/places.ts";

export const wrongClock = defineFault("clock", {
  meaning: "The device's wall clock is wrong: ahead or behind by this much.",
  value: AheadOrBehind,
  where: INSIDE_THE_DEVICE,
  differs: { real: "the clock of the agent's process; other programs of the device have that of this machine" },
  effect: ({ ahead = 0, behind = 0 }) => ({ aheadMs: ahead - behind }),
});
