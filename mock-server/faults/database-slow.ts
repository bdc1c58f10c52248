import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Duration } from "./language/quantities.ts";

export const databaseSlow = defineFault("exchange", {
  meaning: "The server's database takes this much longer for each request.",
  value: Duration,
  where: EVERYWHERE,
  effect: (answerDelayMs) => ({ answerDelayMs }),
});
