import * as z from "zod";
import { defineFault } from "./fault.ts";
import { By } from "./language/moments.ts";
import { EVERYWHERE } from "./language/places.ts";

export const lossy = defineFault("exchange", {
  meaning: "The request is lost, or the answer to a request that the server has acted on.",
  value: z.strictObject({ lose: z.enum(["request", "answer", "either"]), by: By.optional() }),
  where: EVERYWHERE,
  effect: ({ lose, by = "reset" }, { random }) => {
    const lost = lose === "either" ? (random.fraction() < 0.5 ? "request" : "answer") : lose;
    return lost === "request" ? { loseRequest: by } : { loseAnswer: by };
  },
});
