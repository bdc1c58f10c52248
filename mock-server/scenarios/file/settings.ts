import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import { Name } from "../../faults/language/quantities.ts";

const ConfigValue = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())], {
  error: "what mender.conf has for this key",
});
export const Config = recordOf(ConfigValue);

const ISSUER_HINT = "the name of a certificate authority: letters, digits, - and _";
/** A certificate authority. */
export const Issuer = z.string({ error: ISSUER_HINT }).pipe(Name);

/** Settings of a device that come with its software: those of the software that runs count. */
export const settingsShape = {
  config: z.optional(Config).meta({
    description: "Keys of mender.conf that this software brings; they count from the next start of the agent on",
  }),
  trusts: z.array(Issuer).optional().meta({
    description: "The certificate authorities that devices with this software trust, in place of those of the fleet",
  }),
};

export const SoftwareSettings = z.object(settingsShape);
export type SoftwareSettings = z.output<typeof SoftwareSettings>;
