import type { AgentWraps } from "../../../mock-server/scenarios/world/agent.ts";
import type { ServerWraps } from "../../../mock-server/scenarios/world/server.ts";

/** A mistake that somebody could have made, made from outside: parts of the true agent or server behave in another way. */
export interface PlantedBug {
  /** What somebody would call it. */
  readonly name: string;
  /** Scenarios that find it, without `.yaml`: the short check of `npm test`. */
  readonly foundBy: readonly [string, ...string[]];
  readonly agent?: AgentWraps;
  readonly server?: ServerWraps;
}
