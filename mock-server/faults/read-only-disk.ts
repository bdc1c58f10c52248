import { CHANGES } from "./effects/machine.ts";
import { defineFault } from "./fault.ts";
import { simulatedOnly } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";

export const readOnlyDisk = defineFault("disk", {
  meaning: "The device's disk can only be read (EROFS).",
  value: Yes,
  where: simulatedOnly("the devices have no disk of their own"),
  effect: () => ({ code: "EROFS", text: "read-only file system", calls: CHANGES }),
});
