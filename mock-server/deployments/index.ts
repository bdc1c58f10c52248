export { Artifacts, type Release } from "./artifacts.ts";
export type { NewDeployment } from "./creation.ts";
export { Deployments, type HistoryEntry } from "./deployments.ts";
export { DeviceSide, type Instructions } from "./device-side.ts";
export { DEVICE_DEPLOYMENT_FILTERS, type DeviceDeploymentFilter } from "./status-filter.ts";
export type { Deployment, DeviceDeployment } from "./views.ts";
