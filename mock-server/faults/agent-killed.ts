import { defineFault } from "./fault.ts";
import { isStep, Moment } from "./language/moments.ts";
import { INSIDE_THE_DEVICE } from "./language/places.ts";

export const agentKilled = defineFault("power", {
  meaning:
    "The agent is killed (SIGKILL) at this moment of an update, or again and again; the service manager starts it again.",
  value: Moment,
  where: INSIDE_THE_DEVICE,
  limits: [
    {
      what: "agent_killed at a durable step",
      of: isStep,
      reasons: { real: "only a simulated disk counts them" },
    },
  ],
  once: ({ every }) => every === undefined,
  effect: (moment) => ({ kind: "interruption", moment, does: "kill", offMs: 0, leaves: undefined }),
});
