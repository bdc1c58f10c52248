export { configurationPlan, type InstructedArtifact } from "./configurations/configuration-artifact.ts";
export { type Configuration, Configurations, type DeviceConfiguration } from "./configurations/configurations.ts";
export type { NewDeployment, Rollout } from "./creation/new-deployment.ts";
export { decommissionDevice } from "./deployment-end/device-end.ts";
export type { Deployment, Phase } from "./deployment-view.ts";
export { type DeploymentSearch, Deployments, type HistoryEntry } from "./deployments.ts";
export {
  DEVICE_DEPLOYMENT_FILTERS,
  type DeviceDeploymentFilter,
  statusesOf,
} from "./device-deployment/status-filter.ts";
export type { DeviceDeployment, FailedAttempt } from "./device-deployment/view.ts";
export { DeviceSide, type Instructions } from "./device-side.ts";
export type { FailureGroup } from "./failures.ts";
export { DeploymentInsight, type WatchedDevice } from "./insight.ts";
export { LOG_SEVERITIES, type LogPage, type LogQuery, type LogSeverity } from "./log-page.ts";
export type { NewPhase, PhaseState, PlannedPhase } from "./phases.ts";
export { PREVIEW_OUTCOMES, type Preview, type PreviewGroup, type PreviewOutcome } from "./preview/preview.ts";
export type { Progress, ProgressRange } from "./progress.ts";
export { Artifacts } from "./releases/artifacts.ts";
export { type Release, Releases } from "./releases/releases.ts";
export type { Membership } from "./selection/membership.ts";
export { silenceWarning } from "./silence/silence.ts";
export { Uptime } from "./silence/uptime.ts";
export type { Timeline } from "./timeline.ts";
export {
  CONTROL_ACTIONS,
  CONTROLLED_STATES,
  type ControlAction,
  type ControlFollowUp,
  type ControlledState,
  type HandedControlMap,
  type StateControl,
  type UpdateControlMap,
} from "./update-control.ts";
export { WAITING_KINDS, type WaitingFor } from "./waiting.ts";
