import { CHANGES } from "./effects/machine.ts";
import { defineFault } from "./fault.ts";
import { simulatedOnly } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";

export const diskDenied = defineFault("disk", {
  meaning: "The agent has no permission to write to the device's disk (EACCES).",
  value: Yes,
  where: simulatedOnly(),
  effect: () => ({ code: "EACCES", text: "permission denied", calls: CHANGES }),
});
