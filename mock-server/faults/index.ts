/** Faults: the vocabulary, and the plan that decides which happen when. */
export { plannedFaults } from "./compile.ts";
export { EVERYWHERE, RUN_MODES, type RunMode, type Support } from "./modes.ts";
export { FaultPlan, type Moment, type PlannedFault, type Strike } from "./plan.ts";
export {
  BAD_ARTIFACTS,
  CONCERNS,
  type Concern,
  FAULT_NAMES,
  FAULTS,
  type FaultName,
  type FaultOf,
  type FaultsOf,
  type FaultValue,
  faultRow,
  LEFT_BEHIND,
} from "./vocabulary.ts";
