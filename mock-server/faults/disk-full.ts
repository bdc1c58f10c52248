import { WRITES } from "./effects/machine.ts";
import { defineFault } from "./fault.ts";
import { simulatedOnly } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";

export const diskFull = defineFault("disk", {
  meaning: "Nothing more can be written to the device's disk (ENOSPC).",
  value: Yes,
  where: simulatedOnly("the devices have no disk of their own"),
  effect: () => ({ code: "ENOSPC", text: "no space left on device", calls: WRITES }),
});
