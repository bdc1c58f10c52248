/** Scenario files: what may be in them, and what is wrong with them. */
export { ANY_DEVICE } from "./check.ts";
export type { Deployment } from "./deployments.ts";
export { type FileFault, ScenarioFileError } from "./errors.ts";
export { COUNTED, type Counted, type Expectation, type Never } from "./expectations.ts";
export type { Fault } from "./faults.ts";
export { type Devices, deviceNames, type ModuleManners } from "./fleet.ts";
export { type Instant, instantMs } from "./instants.ts";
export { scenarioJsonSchemaText } from "./json-schema.ts";
export { AGENT_STATES, MODULE_CALLS } from "./names.ts";
export { parseScenario } from "./parse.ts";
export type { Release, ScenarioArtifact } from "./releases.ts";
export type { Ending, Scenario } from "./scenario.ts";
export type { Action, ActionName, TimelineEntry } from "./timeline.ts";
export { DEVICE_EVENT_NAMES, type EventParts, type Trigger } from "./triggers.ts";
