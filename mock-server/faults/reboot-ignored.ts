import { defineFault } from "./fault.ts";
import { simulatedOnly } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";

export const rebootIgnored = defineFault("power", {
  meaning: "The machine accepts a reboot and does not reboot.",
  value: Yes,
  where: simulatedOnly(),
  effect: () => ({ kind: "ignored-reboot" }),
});
