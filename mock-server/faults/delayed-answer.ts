import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Duration } from "./language/quantities.ts";

export const delayedAnswer = defineFault("exchange", {
  meaning: "The answer comes this much later.",
  value: Duration,
  where: EVERYWHERE,
  effect: (answerDelayMs) => ({ answerDelayMs }),
});
