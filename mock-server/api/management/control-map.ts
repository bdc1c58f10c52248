import { withoutNulls } from "@upkeep/shared/protocol";
import * as z from "zod";
import { CONTROL_ACTIONS, CONTROLLED_STATES, type UpdateControlMap } from "../../domain.ts";
import { fields } from "../validation.ts";

const FOLLOW_UPS = [
  "continue",
  "force_continue",
  "fail",
] as const satisfies readonly (typeof CONTROL_ACTIONS)[number][];

/** Where the devices of a deployment pause, as it is shown. */
export const ControlMap = fields({
  priority: z.exactOptional(z.int()),
  states: z.exactOptional(
    z.partialRecord(
      z.enum(CONTROLLED_STATES),
      fields({
        action: z.exactOptional(z.enum(CONTROL_ACTIONS)),
        on_map_expire: z.exactOptional(z.enum(FOLLOW_UPS)),
        on_action_executed: z.exactOptional(z.enum(CONTROL_ACTIONS)),
      }),
    ),
  ),
});

/** As users may write it. */
export const ControlMapBody = z.nonoptional(z.preprocess(withoutNulls, ControlMap));

/** As a device gets it: with the deployment's id. */
export const HandedControlMap = ControlMap.extend({ id: z.string() });

/** What is to be said of a map that was taken; `undefined`: nothing, it has no effect on any device. */
export function controlMapWarning(map: UpdateControlMap | null | undefined): string | undefined {
  return Object.keys(map?.states ?? {}).length === 0
    ? undefined
    : "update_control_map: only devices whose client asks for it (as those of the 3.x line do) pause; all others go on";
}
