import { DEPLOYMENT_STATUSES, DEVICE_DEPLOYMENT_STATUSES } from "@upkeep/shared/protocol";
import * as z from "zod";
import type { Deployment, DeviceDeployment } from "../../domain.ts";
import { ArtifactShape, presentArtifact } from "./artifact-shape.ts";
import { timestamp } from "./times.ts";

/** How many devices have each status. */
export const StatisticsShape = z.record(z.enum(DEVICE_DEPLOYMENT_STATUSES), z.int());

export const DeploymentShape = z.object({
  id: z.string(),
  name: z.string(),
  artifact_name: z.string(),
  artifacts: z.array(z.string()),
  type: z.literal("software"),
  force_installation: z.boolean().optional(),
  created: z.string(),
  finished: z.string().optional(),
  status: z.enum(DEPLOYMENT_STATUSES),
  device_count: z.int(),
  max_devices: z.int(),
  statistics: z.object({ status: StatisticsShape, total_size: z.int() }),
});

export function presentDeployment(deployment: Deployment): z.infer<typeof DeploymentShape> {
  return {
    id: deployment.id,
    name: deployment.name,
    artifact_name: deployment.artifactName,
    artifacts: [...deployment.artifactIds],
    type: "software",
    ...(deployment.forceInstallation ? { force_installation: true } : {}),
    created: timestamp(deployment.createdMs),
    ...(deployment.finishedMs === undefined ? {} : { finished: timestamp(deployment.finishedMs) }),
    status: deployment.status,
    device_count: deployment.deviceCount,
    max_devices: deployment.targetCount,
    statistics: { status: deployment.statistics, total_size: deployment.totalSizeBytes },
  };
}

export const DeviceDeploymentShape = z.object({
  /** The device. */
  id: z.string(),
  status: z.enum(DEVICE_DEPLOYMENT_STATUSES),
  substate: z.string().optional(),
  created: z.string(),
  started: z.string().optional(),
  finished: z.string().optional(),
  deleted: z.string().optional(),
  image: ArtifactShape.optional(),
  log: z.boolean(),
});

export function presentDeviceDeployment(device: DeviceDeployment): z.infer<typeof DeviceDeploymentShape> {
  return {
    id: device.deviceId,
    status: device.status,
    ...(device.substate === undefined ? {} : { substate: device.substate }),
    created: timestamp(device.createdMs),
    ...(device.startedMs === undefined ? {} : { started: timestamp(device.startedMs) }),
    ...(device.finishedMs === undefined ? {} : { finished: timestamp(device.finishedMs) }),
    ...(device.deletedMs === undefined ? {} : { deleted: timestamp(device.deletedMs) }),
    ...(device.artifact === undefined ? {} : { image: presentArtifact(device.artifact) }),
    log: device.hasLog,
  };
}
