import { AGENT_BUGS } from "./bugs/agent-bugs.ts";
import type { PlantedBug } from "./bugs/bug.ts";
import { FIELD_BUGS } from "./bugs/field-bugs.ts";
import { ROLLOUT_BUGS } from "./bugs/rollout-bugs.ts";
import { SERVER_BUGS } from "./bugs/server-bugs.ts";

export type { PlantedBug } from "./bugs/bug.ts";

/** Every mistake that the scenarios must find. One more is one more entry in one of these lists. */
export const PLANTED_BUGS: readonly PlantedBug[] = [...AGENT_BUGS, ...FIELD_BUGS, ...SERVER_BUGS, ...ROLLOUT_BUGS];
