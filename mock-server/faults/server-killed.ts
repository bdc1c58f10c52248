import * as z from "zod";
import { ConnectionLost } from "./effects/exchange.ts";
import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Duration } from "./language/quantities.ts";

export const serverKilled = defineFault("exchange", {
  meaning:
    "The server is killed in the middle of a request, after it has acted on it or before, and started again after a while.",
  value: z.strictObject({ when: z.enum(["before", "after"]), back_after: Duration }),
  where: {
    ...EVERYWHERE,
    attached: "the server would have to come back for a device that is not in our hands",
    control: "a server does not come back by itself: send it SIGKILL",
  },
  once: () => true,
  effect: ({ when, back_after }, { killServer }) => ({
    answer: async (request, ask) => {
      if (when === "after") (await ask(request))?.discard?.();
      await killServer(back_after);
      throw new ConnectionLost("reset", "the server was killed");
    },
  }),
});
