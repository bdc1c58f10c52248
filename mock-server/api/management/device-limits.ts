import * as z from "zod";
import type { Domain } from "../../domain.ts";
import { json } from "../answers.ts";
import { type Route, route } from "../route.ts";

/** As the reference writes it. */
const UNLIMITED = -1;

const Limits = z.object({ standard: z.int(), micro: z.int(), system: z.int() });

/** The limits of accepted devices by tier. There is one limit, for devices of all tiers together. */
export function deviceLimitRoutes({ devices }: Domain): Route[] {
  return [
    route({
      method: "GET",
      path: "/api/management/v2/devauth/limits/devices",
      summary: "Show how many devices of each tier may be accepted; the limit is of all tiers together",
      access: "user",
      answers: { 200: { description: "-1: as many as there are", schema: Limits } },
      handle: async () => {
        const limit = (await devices.limit()) ?? UNLIMITED;
        return json({ standard: limit, micro: limit, system: limit } satisfies z.infer<typeof Limits>);
      },
    }),
  ];
}
