import * as z from "zod";
import { defineFault } from "./fault.ts";
import { simulatedOnly } from "./language/places.ts";
import { Duration } from "./language/quantities.ts";

const KINDS = ["refused", "gone", "silence"] as const;

export const proxyFails = defineFault("exchange", {
  meaning:
    "The HTTP proxy that the device goes through (`proxy` in the fleet) does not connect to the server: it says no (refused), is not there (gone), takes CONNECT and never answers (silence), or answers it after this time.",
  value: z.union([z.enum(KINDS), Duration], { error: `${KINDS.join(", ")} or a duration` }),
  where: simulatedOnly("the devices reach the server without TLS: they ask a proxy for no connection"),
  differs: { simulated: "each request has a connection of its own: a tunnel is not used again" },
  effect: (value) => {
    if (typeof value === "number") return { requestDelayMs: value };
    return value === "silence" ? { loseRequest: "silence" } : { connectError: "EPROXY" };
  },
});
