import { DEVICE_PATHS, InventoryAttributes } from "@upkeep/shared/protocol";
import type { Domain } from "../../domain.ts";
import { empty } from "../answers.ts";
import { type Route, route } from "../route.ts";

/** What devices tell of themselves. The real clients take 200 alone for a success. */
export function deviceInventoryRoutes({ inventory }: Domain): Route[] {
  const body = { schema: InventoryAttributes, tooLarge: 400 } as const;
  const answers = {
    200: { description: "Known, for good" },
    400: { description: "An attribute is malformed, or there are too many" },
  };
  return [
    route({
      method: "PUT",
      path: DEVICE_PATHS.inventory,
      summary: "Replace the device's inventory",
      access: "device",
      body,
      answers,
      handle: async (call) => {
        await inventory.replace(call.caller.deviceId, call.body);
        return empty(200);
      },
    }),
    route({
      method: "PATCH",
      path: DEVICE_PATHS.inventory,
      summary: "Add to the device's inventory",
      access: "device",
      body,
      answers,
      handle: async (call) => {
        await inventory.merge(call.caller.deviceId, call.body);
        return empty(200);
      },
    }),
  ];
}
