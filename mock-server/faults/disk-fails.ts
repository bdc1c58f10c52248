import { CHANGES } from "./effects/machine.ts";
import { defineFault } from "./fault.ts";
import { simulatedOnly } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";

export const diskFails = defineFault("disk", {
  meaning: "Writes to the device's disk fail (EIO).",
  value: Yes,
  where: simulatedOnly(),
  effect: () => ({ code: "EIO", text: "input/output error", calls: CHANGES }),
});
