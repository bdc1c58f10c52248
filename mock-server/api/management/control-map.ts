import * as z from "zod";
import { CONTROL_ACTIONS, CONTROLLED_STATES } from "../../domain.ts";

const FOLLOW_UPS = [
  "continue",
  "force_continue",
  "fail",
] as const satisfies readonly (typeof CONTROL_ACTIONS)[number][];

/** Where the devices of a deployment pause, as users write it and as it is shown. */
export const ControlMap = z.object({
  priority: z.exactOptional(z.int()),
  states: z.exactOptional(
    z.partialRecord(
      z.enum(CONTROLLED_STATES),
      z.object({
        action: z.exactOptional(z.enum(CONTROL_ACTIONS)),
        on_map_expire: z.exactOptional(z.enum(FOLLOW_UPS)),
        on_action_executed: z.exactOptional(z.enum(CONTROL_ACTIONS)),
      }),
    ),
  ),
});

/** As a device gets it: with the deployment's id. */
export const HandedControlMap = ControlMap.extend({ id: z.string() });
