import type { DeploymentStatus, DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type {
  ArtifactRecord,
  DeploymentRecord,
  ListedDeviceDeployment,
  Records,
  Statistics,
} from "../storage/index.ts";

/** A deployment as the management API shows it. */
export interface Deployment {
  readonly id: string;
  readonly name: string;
  /** The release. */
  readonly artifactName: string;
  /** The artifacts of the release, as they are now. */
  readonly artifactIds: readonly string[];
  readonly forceInstallation: boolean;
  /** It was asked for all accepted devices rather than for a list. */
  readonly allDevices: boolean;
  readonly status: DeploymentStatus;
  readonly createdMs: number;
  readonly finishedMs?: number;
  /** How many devices it targets. */
  readonly targetCount: number;
  /** How many of them have asked for it. */
  readonly deviceCount: number;
  /** Together always {@link Deployment.targetCount}. */
  readonly statistics: Statistics;
  /** Bytes of the artifacts that were handed out. */
  readonly totalSizeBytes: number;
}

/** What one device made of one deployment. */
export interface DeviceDeployment {
  readonly deploymentId: string;
  readonly deviceId: string;
  readonly status: DeviceDeploymentStatus;
  readonly substate?: string;
  readonly createdMs: number;
  readonly startedMs?: number;
  readonly finishedMs?: number;
  /** When it was deleted from the device's history. */
  readonly deletedMs?: number;
  /** The artifact that it was assigned. */
  readonly artifact?: ArtifactRecord;
  readonly hasLog: boolean;
}

export async function presentDeployments(
  records: Records,
  deployments: readonly DeploymentRecord[],
): Promise<Deployment[]> {
  const statistics = await records.counters.ofAll(deployments.map(({ id }) => id));
  const artifactIds = await records.artifacts.idsOfReleases([...new Set(deployments.map((one) => one.artifact_name))]);
  return deployments.flatMap((deployment) => {
    const counters = statistics.get(deployment.id);
    if (counters === undefined) return [];
    return {
      id: deployment.id,
      name: deployment.name,
      artifactName: deployment.artifact_name,
      artifactIds: artifactIds.get(deployment.artifact_name) ?? [],
      forceInstallation: deployment.force_installation === 1,
      allDevices: deployment.all_devices === 1,
      status: deployment.status,
      createdMs: deployment.created_ms,
      ...(deployment.finished_ms === null ? {} : { finishedMs: deployment.finished_ms }),
      targetCount: deployment.target_count,
      deviceCount: deployment.device_count,
      statistics: counters,
      totalSizeBytes: deployment.total_size_bytes,
    };
  });
}

export async function presentDeviceDeployments(
  records: Records,
  rows: readonly ListedDeviceDeployment[],
): Promise<DeviceDeployment[]> {
  const pinned = rows.flatMap(({ artifact_id }) => (artifact_id === null ? [] : [artifact_id]));
  const artifacts = await records.artifacts.everKnown([...new Set(pinned)]);
  return rows.map((row) => {
    const artifact = row.artifact_id === null ? undefined : artifacts.get(row.artifact_id);
    return {
      deploymentId: row.deployment_id,
      deviceId: row.device_id,
      status: row.status,
      ...(row.substate === null ? {} : { substate: row.substate }),
      // One that ended before its device ever asked began when it ended.
      createdMs: row.created_ms ?? row.finished_ms ?? 0,
      ...(row.started_ms === null ? {} : { startedMs: row.started_ms }),
      ...(row.finished_ms === null ? {} : { finishedMs: row.finished_ms }),
      ...(row.hidden_ms === null ? {} : { deletedMs: row.hidden_ms }),
      ...(artifact === undefined ? {} : { artifact }),
      hasLog: row.has_log,
    };
  });
}
