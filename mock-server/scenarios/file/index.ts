/** Scenario files: their schema, and the errors in them. */

export { type Instant, instantMs } from "../../faults/language/instants.ts";
export { AGENT_STATES, MODULE_CALLS } from "../../faults/language/names.ts";
export { ANY_DEVICE } from "./check.ts";
export type { Deployment } from "./deployments.ts";
export { type FileFault, ScenarioFileError } from "./errors.ts";
export { COUNTED, type Counted, type Expectation, type Never, type Rate } from "./expectations.ts";
export { type Devices, deviceNames, type ModuleManners } from "./fleet.ts";
export { scenarioJsonSchemaText } from "./json-schema.ts";
export { type ParameterValues, parseParameter, withValues } from "./parameters.ts";
export { parseCases, parseScenario, type ScenarioCase } from "./parse.ts";
export type { Release, ScenarioArtifact } from "./releases.ts";
export type { Ending, Scenario } from "./scenario.ts";
export { SoftwareSettings } from "./settings.ts";
export { type Action, type ActionName, deviceOfAction, type TimelineEntry } from "./timeline.ts";
export { DEVICE_EVENT_NAMES, type DeploymentState, type EventParts, type Trigger } from "./triggers.ts";
