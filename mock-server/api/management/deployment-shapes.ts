import { given } from "@upkeep/shared/given";
import type { AdaptiveTransfer } from "@upkeep/shared/protocol";
import { DEPLOYMENT_STATUSES, DEVICE_DEPLOYMENT_STATUSES, PLAIN_REASONS } from "@upkeep/shared/protocol";
import * as z from "zod";
import {
  ATTRIBUTE_SCOPES,
  type Deployment,
  type DeviceDeployment,
  FILTER_OPERATORS,
  WAITING_KINDS,
  type WaitingFor,
  type WatchedDevice,
} from "../../domain.ts";
import { ArtifactShape, presentArtifact } from "./artifact-shape.ts";
import { ControlMap } from "./control-map.ts";
import { maskedConfiguration } from "./masked-configuration.ts";
import { timestamp } from "./times.ts";

/** Number of devices by status. */
export const StatisticsShape = z.record(z.enum(DEVICE_DEPLOYMENT_STATUSES), z.int());

const Bytes = z.int().meta({ description: "Bytes" });

export const PHASE_STATES = ["scheduled", "waiting", "active", "finished"] as const;

const PhaseShape = z.object({
  id: z.string(),
  batch_size: z.int(),
  start_ts: z.string().optional(),
  device_count: z.int(),
  /** Beyond the reference, like the fields below: number of devices of the phase. */
  places: z.int(),
  success_threshold: z.int().optional(),
  error_threshold: z.int().optional(),
  state: z.enum(PHASE_STATES),
});

const FilterShape = z.object({
  /** Empty if no saved filter was given. */
  id: z.string(),
  name: z.string(),
  terms: z.array(
    z.object({
      scope: z.enum(ATTRIBUTE_SCOPES),
      attribute: z.string(),
      type: z.enum(FILTER_OPERATORS),
      value: z.unknown(),
    }),
  ),
});
type FilterShape = z.infer<typeof FilterShape>;

export const DeploymentShape = z.object({
  id: z.string(),
  name: z.string(),
  artifact_name: z.string(),
  artifacts: z.array(z.string()),
  type: z.enum(["software", "configuration"]),
  force_installation: z.boolean().optional(),
  created: z.string(),
  finished: z.string().optional(),
  status: z.enum(DEPLOYMENT_STATUSES),
  device_count: z.int(),
  max_devices: z.int().optional(),
  initial_device_count: z.int().optional(),
  dynamic: z.boolean().optional(),
  filter: FilterShape.optional(),
  groups: z.array(z.string()).optional(),
  phases: z.array(PhaseShape).optional(),
  retries: z.int().optional(),
  update_control_map: ControlMap.optional(),
  configuration: z.string().optional().meta({ description: "Base64 of JSON; values are shortened" }),
  statistics: z.object({
    status: StatisticsShape,
    total_size: z.int(),
    downloads: z
      .object({ devices: z.int(), needed: Bytes, reused: Bytes, fetched: Bytes })
      .optional()
      .meta({ description: "Beyond the reference: what downloads would have cost and did cost, as devices tell" }),
  }),
  /** Beyond the reference: start and reason of a pause. */
  paused: z.object({ since: z.string(), reason: z.string() }).optional(),
  /** Beyond the reference: a device that is silent for this many seconds fails. */
  silent_after: z.number().optional(),
  /** Beyond the reference: the deployment whose failed devices are its targets. */
  retry_of: z.string().optional(),
});

/** Version 2 of the API tells deployments that have not begun from those that wait for devices. */
export const DeploymentShapeV2 = DeploymentShape.extend({ status: z.enum([...DEPLOYMENT_STATUSES, "scheduled"]) });

/** The targets as a filter. A list of devices is omitted, because it may be long. */
function filterOf({ dynamic, filter, group, allDevices }: Deployment): FilterShape | undefined {
  if (dynamic) return filter === undefined ? undefined : { ...filter, terms: [...filter.terms] };
  if (group !== undefined) {
    return { id: "", name: group, terms: [{ scope: "system", attribute: "group", type: "$eq", value: group }] };
  }
  return allDevices
    ? { id: "", name: "", terms: [{ scope: "identity", attribute: "status", type: "$eq", value: "accepted" }] }
    : undefined;
}

function presentPhases({ phases }: Deployment): z.infer<typeof PhaseShape>[] {
  return phases.map((phase) => ({
    id: phase.id,
    batch_size: phase.batchSize,
    ...(phase.startMs === undefined ? {} : { start_ts: timestamp(phase.startMs) }),
    device_count: phase.deviceCount,
    places: phase.places,
    ...given({ success_threshold: phase.successThreshold, error_threshold: phase.errorThreshold }),
    state: phase.state,
  }));
}

export function presentDeployment(deployment: Deployment): z.infer<typeof DeploymentShape> {
  const { maxDevices = deployment.dynamic ? undefined : deployment.targetCount, paused } = deployment;
  const filter = filterOf(deployment);
  return {
    id: deployment.id,
    name: deployment.name,
    artifact_name: deployment.artifactName,
    artifacts: [...deployment.artifactIds],
    type: deployment.kind,
    ...(deployment.forceInstallation ? { force_installation: true } : {}),
    created: timestamp(deployment.createdMs),
    ...(deployment.finishedMs === undefined ? {} : { finished: timestamp(deployment.finishedMs) }),
    status: deployment.status,
    device_count: deployment.deviceCount,
    ...given({ max_devices: maxDevices }),
    ...(deployment.dynamic ? { dynamic: true, initial_device_count: deployment.initialDeviceCount } : {}),
    ...given({ filter }),
    ...(deployment.group === undefined ? {} : { groups: [deployment.group] }),
    ...(deployment.phases.length === 0 ? {} : { phases: presentPhases(deployment) }),
    ...(deployment.retries === 0 ? {} : { retries: deployment.retries }),
    ...given({ update_control_map: deployment.updateControlMap }),
    ...(deployment.configuration === undefined ? {} : { configuration: maskedConfiguration(deployment.configuration) }),
    statistics: {
      status: deployment.statistics,
      total_size: deployment.totalSizeBytes,
      ...given({ downloads: presentDownloads(deployment) }),
    },
    ...(paused === undefined ? {} : { paused: { since: timestamp(paused.sinceMs), reason: paused.reason } }),
    ...given({ retry_of: deployment.retryOf }),
    ...(deployment.silentAfterMs === undefined ? {} : { silent_after: deployment.silentAfterMs / 1000 }),
  };
}

function presentDownloads({ downloads }: Deployment) {
  if (downloads === undefined || downloads.count === 0) return undefined;
  const { count, needed, reused, fetched } = downloads;
  return { devices: count, needed, reused, fetched };
}

export function presentDeploymentV2(deployment: Deployment): z.infer<typeof DeploymentShapeV2> {
  return { ...presentDeployment(deployment), status: deployment.scheduled ? "scheduled" : deployment.status };
}

export const DeviceDeploymentShape = z.object({
  /** Id of the device. */
  id: z.string(),
  status: z.enum(DEVICE_DEPLOYMENT_STATUSES),
  substate: z.string().optional(),
  /** Beyond the reference: why it failed. */
  reason: z.string().optional(),
  created: z.string(),
  started: z.string().optional(),
  finished: z.string().optional(),
  deleted: z.string().optional(),
  image: ArtifactShape.optional(),
  log: z.boolean(),
  attempts: z.int(),
  retries: z.int(),
  /** Beyond the reference: earlier attempts. */
  failed_attempts: z
    .array(
      z.object({
        attempt: z.int(),
        substate: z.string().optional(),
        reason: z.string().optional(),
        started: z.string().optional(),
        finished: z.string(),
      }),
    )
    .optional(),
  /** Beyond the reference: the device has not finished, and is no longer accepted. */
  unreachable: z.boolean().optional(),
  /** Beyond the reference: what the last download cost. */
  download: z
    .object({
      needed: Bytes,
      reused: Bytes,
      fetched: Bytes,
      plain: z.enum(PLAIN_REASONS).optional().meta({ description: "Why the artifact was downloaded whole" }),
    })
    .optional(),
});

export function presentDeviceDeployment(device: DeviceDeployment): z.infer<typeof DeviceDeploymentShape> {
  const failed = device.failedAttempts.map(({ attempt, substate, reason, startedMs, finishedMs }) => ({
    attempt,
    ...given({ substate, reason }),
    ...(startedMs === undefined ? {} : { started: timestamp(startedMs) }),
    finished: timestamp(finishedMs),
  }));
  return {
    id: device.deviceId,
    status: device.status,
    ...given({ substate: device.substate, reason: device.reason }),
    created: timestamp(device.createdMs),
    ...(device.startedMs === undefined ? {} : { started: timestamp(device.startedMs) }),
    ...(device.finishedMs === undefined ? {} : { finished: timestamp(device.finishedMs) }),
    ...(device.deletedMs === undefined ? {} : { deleted: timestamp(device.deletedMs) }),
    ...(device.artifact === undefined ? {} : { image: presentArtifact(device.artifact) }),
    log: device.hasLog,
    attempts: device.attempts,
    retries: device.retries,
    ...(failed.length === 0 ? {} : { failed_attempts: failed }),
    ...(device.unreachable ? { unreachable: true } : {}),
    ...(device.download === undefined ? {} : { download: presentDownload(device.download) }),
  };
}

function presentDownload({ needed, reused, fetched, plain }: AdaptiveTransfer) {
  return { needed, reused, fetched, ...given({ plain }) };
}

/** A device deployment in the list by pages, beyond the reference. */
export const WatchedDeviceShape = DeviceDeploymentShape.extend({
  asked: z
    .literal(false)
    .optional()
    .meta({ description: "The device has not asked for it; created is that of the deployment" }),
  waiting_for: z
    .object({
      kind: z.enum(WAITING_KINDS),
      deployment_id: z.string().optional().meta({ description: "Of older-deployment" }),
      phase_id: z.string().optional().meta({ description: "Of phase" }),
      start_ts: z.string().optional().meta({ description: "Of phase: its planned start" }),
      since: z.string().optional().meta({ description: "Of poll and retry: the last contact" }),
    })
    .optional()
    .meta({ description: "Why a device that has not finished has no instructions" }),
});

export function presentWatchedDevice(device: WatchedDevice): z.infer<typeof WatchedDeviceShape> {
  const { waitingFor } = device;
  return {
    ...presentDeviceDeployment(device),
    ...(device.asked ? {} : { asked: false }),
    ...(waitingFor === undefined ? {} : { waiting_for: presentWaiting(waitingFor) }),
  };
}

function presentWaiting(waitingFor: WaitingFor): z.infer<typeof WatchedDeviceShape>["waiting_for"] {
  const { kind } = waitingFor;
  switch (kind) {
    case "older-deployment":
      return { kind, deployment_id: waitingFor.deploymentId };
    case "phase": {
      const { phaseId, startMs } = waitingFor;
      return { kind, phase_id: phaseId, ...(startMs === undefined ? {} : { start_ts: timestamp(startMs) }) };
    }
    case "poll":
    case "retry":
      return { kind, ...(waitingFor.sinceMs === undefined ? {} : { since: timestamp(waitingFor.sinceMs) }) };
    default:
      return { kind };
  }
}
