import { defineFault } from "./fault.ts";
import { simulatedOnly } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";

export const seedChanges = defineFault("seed", {
  meaning:
    "What the device has at first is written to while an adaptive download reads it: a piece of it after each read, at a place that the seed decides. It stays whole, as a file system does that is mounted.",
  value: Yes,
  where: simulatedOnly("what a device has at first is not in our hands, and so it has nothing of an artifact to read"),
  effect: () => ({ pieceBytes: 4096 }),
});
