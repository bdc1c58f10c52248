export { Artifacts } from "./artifacts.ts";
export { configurationPlan, type InstructedArtifact } from "./configuration-artifact.ts";
export { type Configuration, Configurations, type DeviceConfiguration } from "./configurations.ts";
export { Deployments, type HistoryEntry } from "./deployments.ts";
export { DeviceSide, type Instructions } from "./device-side.ts";
export type { DeviceDeployment, FailedAttempt } from "./device-views.ts";
export { decommissionDevice } from "./ending.ts";
export type { Membership } from "./membership.ts";
export type { NewDeployment, Rollout } from "./new-deployment.ts";
export type { NewPhase, PhaseState } from "./phases.ts";
export type { Release } from "./release-views.ts";
export { Releases } from "./releases.ts";
export { silenceWarning } from "./silence.ts";
export { DEVICE_DEPLOYMENT_FILTERS, type DeviceDeploymentFilter } from "./status-filter.ts";
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
export { Uptime } from "./uptime.ts";
export type { Deployment, Phase } from "./views.ts";
