/** Faults: the table of them, what each does, and the plan that decides which happen when. */
export { BAD_ARTIFACTS } from "./bad-artifact.ts";
export {
  definitionOf,
  effectOf,
  exchangeEffectOf,
  FAULT_NAMES,
  FAULTS,
  type FaultName,
  type FaultOf,
  type FaultsOf,
  type FaultValue,
  reasonsAgainst,
} from "./catalogue.ts";
export { plannedFaults } from "./compile.ts";
export type { Concern, FaultDefinition } from "./fault.ts";
export { LEFT_BEHIND, LeftBehind } from "./language/moments.ts";
export { PLACES, type Place, RUN_MODES, type RunMode } from "./language/places.ts";
export { FaultPlan, type Moment, type PlannedFault, type Strike } from "./plan.ts";
