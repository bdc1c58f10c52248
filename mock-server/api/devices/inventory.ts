import { DEVICE_PATHS, InventoryAttribute } from "@upkeep/shared/protocol";
import * as z from "zod";
import type { Domain } from "../../domain.ts";
import { empty } from "../answers.ts";
import { jsonSchema } from "../openapi/schemas.ts";
import { type Route, route } from "../route.ts";
import type { LeftOutLog } from "./left-out-log.ts";

/** Attributes as the protocol has them. What is none is left out, and does not keep the others away. */
const Attributes = z.array(z.unknown().meta(jsonSchema(InventoryAttribute, "input")));

/** What devices tell of themselves. The real clients take 200 alone for a success. */
export function deviceInventoryRoutes({ inventory }: Domain, log?: LeftOutLog): Route[] {
  const body = { schema: Attributes, tooLarge: 400 } as const;
  const answers = {
    200: {
      description: "Known, for good, but for attributes that cannot be kept: system/inventory_left_out names them",
    },
    400: { description: "It is no list" },
  };
  return [
    route({
      method: "PUT",
      path: DEVICE_PATHS.inventory,
      summary: "Replace the device's inventory",
      access: "device",
      body,
      answers,
      handle: async ({ caller, body }) => {
        const leftOut = await inventory.replace(caller.deviceId, body);
        log?.tell(caller.deviceId, leftOut);
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
      handle: async ({ caller, body }) => {
        const leftOut = await inventory.merge(caller.deviceId, body);
        log?.tell(caller.deviceId, leftOut);
        return empty(200);
      },
    }),
  ];
}
