/** Scenarios, for the commands that run them. Loaded only by these. */
export {
  type ParameterValues,
  parseCases,
  parseParameter,
  parseScenario,
  type Scenario,
  ScenarioFileError,
  withValues,
} from "./file/index.ts";
export { htmlText } from "./report/html/page.ts";
export { jsonText } from "./report/json.ts";
export { junitText } from "./report/junit.ts";
export { personText, summaryText } from "./report/person.ts";
export { tableText } from "./report/table.ts";
export { readLive } from "./run/live.ts";
export type { RunResult } from "./run/result.ts";
export { runSimulated, type SimulatedRun } from "./run/run.ts";
export { type Shrunk, shrink } from "./run/shrink.ts";
