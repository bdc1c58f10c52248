import * as z from "zod";
import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";

const RESET = "the connection is reset: only the device's own machine can say that it has no route or no listener";

export const linkDown = defineFault("exchange", {
  meaning:
    "The device reaches no server: there is no route (yes, unreachable), nothing listens (refused), or something takes the connection and is never heard of, such as a proxy that hangs (silence).",
  value: z.union([Yes, z.enum(["refused", "unreachable", "silence"])], {
    error: "yes, refused, unreachable or silence",
  }),
  where: EVERYWHERE,
  differs: {
    real: "the agent's process meets the error when it connects; it has connected before, to ask",
    attached: RESET,
    control: RESET,
  },
  effect: (value) => {
    if (value === "silence") return { loseRequest: "silence" };
    return { connectError: value === "refused" ? "ECONNREFUSED" : "ENETUNREACH" };
  },
});
