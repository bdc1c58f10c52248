import { given } from "@upkeep/shared/given";
import type { DeploymentStatus } from "@upkeep/shared/protocol";
import type {
  DeploymentKind,
  DeploymentRecord,
  DownloadSums,
  PhaseRecord,
  Records,
  Statistics,
} from "../storage/index.ts";
import { activePhase, hasBegun, type PhaseState, phaseState } from "./phases.ts";
import { type Membership, membershipOf } from "./selection/membership.ts";
import type { UpdateControlMap } from "./update-control.ts";

/** A deployment as the management API shows it. */
export interface Deployment {
  readonly id: string;
  readonly kind: DeploymentKind;
  readonly name: string;
  /** The release. */
  readonly artifactName: string;
  /** The artifacts of the release, as they are now. */
  readonly artifactIds: readonly string[];
  readonly forceInstallation: boolean;
  /** Created for all accepted devices rather than for a list. */
  readonly allDevices: boolean;
  /** The static group that it was created for. */
  readonly group?: string;
  /** It targets the devices that match {@link Deployment.filter} while it is open. */
  readonly dynamic: boolean;
  /** As it was when the deployment was created. */
  readonly filter?: Membership;
  /** A dynamic deployment finishes when this many devices have finished. */
  readonly maxDevices?: number;
  readonly status: DeploymentStatus;
  /** It is pending, and its first phase begins in the future. */
  readonly scheduled: boolean;
  /** While paused, no further device begins. */
  readonly paused?: { readonly sinceMs: number; readonly reason: string };
  readonly createdMs: number;
  readonly finishedMs?: number;
  /** The number of targets, or of devices that matched the filter, at creation. */
  readonly initialDeviceCount: number;
  /** The number of targets. */
  readonly targetCount: number;
  /** The number of targets that have polled for it. */
  readonly deviceCount: number;
  /** They add up to {@link Deployment.targetCount}. */
  readonly statistics: Statistics;
  /** Total size of the artifacts in all instructions. */
  readonly totalSizeBytes: number;
  /** What its downloads cost, where devices told. Absent in lists. */
  readonly downloads?: DownloadSums;
  /** Empty: not phased, all devices may begin at once. */
  readonly phases: readonly Phase[];
  /** Further attempts of a device after a failed one. */
  readonly retries: number;
  readonly silentAfterMs?: number;
  readonly updateControlMap?: UpdateControlMap;
  /** The configuration that a configuration deployment delivers. */
  readonly configuration?: Readonly<Record<string, string>>;
  /** The deployment whose failed devices are its targets. */
  readonly retryOf?: string;
}

export interface Phase {
  readonly id: string;
  /** Percent; of the last phase, the remainder. */
  readonly batchSize: number;
  /** The same in devices, at creation. */
  readonly places: number;
  /** Absent: it begins with the creation of the deployment. */
  readonly startMs?: number;
  /** Percent. */
  readonly successThreshold?: number;
  /** Percent. */
  readonly errorThreshold?: number;
  /** The number of devices admitted in it. */
  readonly deviceCount: number;
  readonly state: PhaseState;
}

export async function presentDeployments(
  records: Records,
  deployments: readonly DeploymentRecord[],
  nowMs: number,
): Promise<Deployment[]> {
  const ids = deployments.map(({ id }) => id);
  const statistics = await records.counters.ofAll(ids);
  const artifactIds = await records.artifacts.idsOfReleases([...new Set(deployments.map((one) => one.artifact_name))]);
  const phases = await records.phases.ofAll(ids);
  return deployments.flatMap((deployment) => {
    const counters = statistics.get(deployment.id);
    if (counters === undefined) return [];
    const own = phases.filter(({ deployment_id }) => deployment_id === deployment.id);
    const [first] = own;
    return {
      ...facts(deployment),
      artifactIds: deployment.kind === "software" ? (artifactIds.get(deployment.artifact_name) ?? []) : [],
      statistics: counters,
      scheduled: deployment.status === "pending" && first !== undefined && !hasBegun(first, nowMs),
      phases: presentPhases(own, nowMs, deployment.status === "finished"),
    };
  });
}

function facts(deployment: DeploymentRecord): Omit<Deployment, "artifactIds" | "statistics" | "scheduled" | "phases"> {
  const { group_name, max_devices, paused_ms, finished_ms, silent_after_ms } = deployment;
  const { update_control_map_json: controlMap, configuration_json: configuration } = deployment;
  const filter = membershipOf(deployment);
  return {
    id: deployment.id,
    kind: deployment.kind,
    name: deployment.name,
    artifactName: deployment.artifact_name,
    forceInstallation: deployment.force_installation === 1,
    allDevices: deployment.all_devices === 1,
    ...(group_name === null ? {} : { group: group_name }),
    dynamic: deployment.dynamic === 1,
    ...given({ filter }),
    ...(max_devices === null ? {} : { maxDevices: max_devices }),
    status: deployment.status,
    ...(paused_ms === null ? {} : { paused: { sinceMs: paused_ms, reason: deployment.pause_reason ?? "" } }),
    createdMs: deployment.created_ms,
    ...(finished_ms === null ? {} : { finishedMs: finished_ms }),
    initialDeviceCount: deployment.initial_device_count,
    targetCount: deployment.target_count,
    deviceCount: deployment.device_count,
    totalSizeBytes: deployment.total_size_bytes,
    retries: deployment.retries,
    ...(silent_after_ms === null ? {} : { silentAfterMs: silent_after_ms }),
    ...(controlMap === null ? {} : { updateControlMap: JSON.parse(controlMap) as UpdateControlMap }),
    ...(deployment.retry_of === null ? {} : { retryOf: deployment.retry_of }),
    ...(configuration === null ? {} : { configuration: JSON.parse(configuration) as Record<string, string> }),
  };
}

function presentPhases(phases: readonly PhaseRecord[], nowMs: number, finished: boolean): Phase[] {
  const active = activePhase(phases, nowMs);
  return phases.map((phase) => ({
    id: phase.id,
    batchSize: phase.batch_percent,
    places: phase.places,
    ...(phase.start_ms === null ? {} : { startMs: phase.start_ms }),
    ...(phase.success_percent === null ? {} : { successThreshold: phase.success_percent }),
    ...(phase.error_percent === null ? {} : { errorThreshold: phase.error_percent }),
    deviceCount: phase.device_count,
    state: phaseState(phase, active, nowMs, finished),
  }));
}
