import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Duration } from "./language/quantities.ts";

export const reordered = defineFault("exchange", {
  meaning:
    "Requests arrive late, each by a random time up to this, and so perhaps after a later one; the device has given up by then.",
  value: Duration,
  where: EVERYWHERE,
  effect: (value, { random }) => ({ strayMs: Math.round(random.fraction() * value) }),
});
