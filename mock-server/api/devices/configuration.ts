import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import type { Domain } from "../../domain.ts";
import { empty, json } from "../answers.ts";
import { type Route, route } from "../route.ts";

const PATH = "/api/devices/v1/deviceconfig/configuration";
const Configuration = recordOf(z.string());

/** What a device is set to. */
export function deviceConfigurationRoutes({ configurations }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: PATH,
      summary: "Ask what the device should be set to",
      access: "device",
      answers: { 200: { description: "The settings", schema: Configuration } },
      handle: async ({ caller }) => json((await configurations.get(caller.deviceId)).configured),
    }),
    route({
      method: "PUT",
      path: PATH,
      summary: "Report what the device is set to",
      access: "device",
      body: { schema: Configuration, tooLarge: 400 },
      answers: { 204: { description: "Known" }, 400: { description: "A value is no text, or there are too many" } },
      handle: async ({ caller, body }) => {
        await configurations.report(caller.deviceId, body);
        return empty(204);
      },
    }),
  ];
}
