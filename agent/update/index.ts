export { type EngineOptions, UpdateEngine } from "./engine.ts";
export type { ArtifactSource, DeploymentServer, OpenArtifact, ReportAnswer, RetryDelays } from "./ports.ts";
export type {
  DeploymentFinished,
  DeploymentResult,
  Interrupted,
  PendingUpdate,
  ProgressEvent,
  StandaloneResult,
} from "./results.ts";
export { DEFAULT_UPDATE_SETTINGS, type UpdatePaths, type UpdateSettings } from "./settings.ts";
export { STOPS, stopsOf, whereabouts } from "./standalone.ts";
export { type DeviceSoftware, STATES, type StateName, stateOf } from "./states.ts";
