import * as z from "zod";
import { defineFault } from "./fault.ts";
import { EVERYWHERE } from "./language/places.ts";
import { Yes } from "./language/quantities.ts";

const OWN_NAME_SERVER = "the device asks a name server that is not in our hands";

export const dnsFailure = defineFault("exchange", {
  meaning:
    "The name of the server cannot be resolved: it does not exist (yes, not_found), or no name server answers (try_again).",
  value: z.union([Yes, z.enum(["not_found", "try_again"])], { error: "yes, not_found or try_again" }),
  where: { ...EVERYWHERE, attached: OWN_NAME_SERVER, control: OWN_NAME_SERVER },
  differs: { real: "the agent's process meets the error of the resolver; no name server is asked" },
  effect: (value) => ({ connectError: value === "try_again" ? "EAI_AGAIN" : "ENOTFOUND" }),
});
