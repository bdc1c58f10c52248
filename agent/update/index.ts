export type { ArtifactSource, DeploymentServer, ReportAnswer } from "../server/deployment-server.ts";
export type { OpenArtifact, RetryDelays } from "./ports.ts";
export type {
  DeploymentFinished,
  DeploymentResult,
  Interrupted,
  PendingUpdate,
  ProgressEvent,
  StandaloneResult,
} from "./results.ts";
export { type ActionOutcomes, type DeviceSoftware, STATES, type StateName, stateOf } from "./states.ts";
export { STOPS, stopsOf, whereabouts } from "./stops.ts";
export { type EngineOptions, UpdateEngine } from "./update-engine.ts";
export { DEFAULT_UPDATE_SETTINGS, type UpdatePaths, type UpdateSettings } from "./update-settings.ts";
