import { defineFault } from "./fault.ts";
import { simulatedOnly } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";

export const tornWrite = defineFault("power", {
  meaning: "Of writes that were not synced half is on the disk after the power has gone.",
  value: Yes,
  where: simulatedOnly(),
  effect: () => ({ kind: "torn-writes" }),
});
