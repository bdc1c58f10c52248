import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import { json } from "../answers.ts";
import { pagingQuery } from "../paging.ts";
import { type Route, route } from "../route.ts";

const BASE = "/api/management/v1/useradm";

/** What there is, in the words in which programs ask for it. There is one plan, and nothing to pay for. */
const PLAN = {
  name: "enterprise",
  display_name: "Enterprise",
  features: {
    rbac: true,
    audit_logs: false,
    dynamic_groups: true,
    terminal: false,
    file_transfer: false,
    configuration: true,
    monitoring: false,
    reporting: false,
  },
};

const PlanShape = z.object({
  name: z.string(),
  display_name: z.string(),
  features: recordOf(z.boolean()),
});

/** Programs look here for what they may offer to their users. */
export function planRoutes(): Route[] {
  return [
    route({
      method: "GET",
      path: `${BASE}/plans`,
      summary: "List the plans: there is one, with everything that this server does",
      access: "user",
      query: z.object(pagingQuery()),
      answers: { 200: { description: "Plans", schema: z.array(PlanShape) } },
      handle: ({ query: { page } }) => json(page === 1 ? [PLAN] : []),
    }),
    route({
      method: "GET",
      path: `${BASE}/plan_binding`,
      summary: "Show the plan of this server",
      access: "user",
      answers: { 200: { description: "The plan; it has no limits", schema: z.object({ plan: PlanShape }) } },
      handle: () => json({ plan: PLAN }),
    }),
  ];
}
