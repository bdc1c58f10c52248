import { DEVICE_DEPLOYMENT_STATUSES, type DeviceDeploymentStatus, isTerminal } from "@upkeep/shared/protocol";

/** Names for groups of statuses. */
const GROUPS = {
  active: DEVICE_DEPLOYMENT_STATUSES.filter((status) => !isTerminal(status)),
  finished: DEVICE_DEPLOYMENT_STATUSES.filter((status) => isTerminal(status)),
  pause: DEVICE_DEPLOYMENT_STATUSES.filter((status) => status.startsWith("pause_")),
} as const satisfies Record<string, readonly DeviceDeploymentStatus[]>;

/** A status, or the name of a group of statuses. */
export type DeviceDeploymentFilter = DeviceDeploymentStatus | keyof typeof GROUPS;

export const DEVICE_DEPLOYMENT_FILTERS: readonly DeviceDeploymentFilter[] = [
  ...DEVICE_DEPLOYMENT_STATUSES,
  "active",
  "finished",
  "pause",
];

export function statusesOf(filter: DeviceDeploymentFilter): readonly DeviceDeploymentStatus[] {
  return filter === "active" || filter === "finished" || filter === "pause" ? GROUPS[filter] : [filter];
}
