import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Rate } from "./language/quantities.ts";

export const slow = defineFault("exchange", {
  meaning: "Bodies of answers come at this rate.",
  value: Rate,
  where: EVERYWHERE,
  effect: (bytesPerSecond) => ({ bytesPerSecond }),
});
