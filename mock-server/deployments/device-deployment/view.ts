import { given } from "@upkeep/shared/given";
import type { AdaptiveTransfer, DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { ArtifactRecord, AttemptRecord, ListedDeviceDeployment, Records } from "../../storage/index.ts";

/** A device deployment as the management API shows it. */
export interface DeviceDeployment {
  readonly deploymentId: string;
  readonly deviceId: string;
  readonly status: DeviceDeploymentStatus;
  readonly substate?: string;
  /** Why it failed: the last error in the log, else the substate. */
  readonly reason?: string;
  readonly createdMs: number;
  readonly startedMs?: number;
  readonly finishedMs?: number;
  /** When it was deleted from the device's history. */
  readonly deletedMs?: number;
  /** The artifact that it was assigned. */
  readonly artifact?: ArtifactRecord;
  /** An attempt has a log. */
  readonly hasLog: boolean;
  /** The number of the current attempt, from 1. */
  readonly attempts: number;
  /** Further attempts after a failed one. */
  readonly retries: number;
  /** The attempts before the current one; each may have a log. */
  readonly failedAttempts: readonly FailedAttempt[];
  /** Unfinished, and the device cannot poll because it is not accepted. */
  readonly unreachable: boolean;
  /** What its last download cost, if the device told. */
  readonly download?: AdaptiveTransfer;
}

export interface FailedAttempt {
  /** From 1. */
  readonly attempt: number;
  readonly substate?: string;
  readonly reason?: string;
  readonly startedMs?: number;
  readonly finishedMs: number;
}

export async function presentDeviceDeployments(
  records: Records,
  rows: readonly ListedDeviceDeployment[],
): Promise<DeviceDeployment[]> {
  const pinned = rows.flatMap(({ artifact_id }) => (artifact_id === null ? [] : [artifact_id]));
  const artifacts = await records.artifacts.everKnown([...new Set(pinned)]);
  const deploymentIds = [...new Set(rows.map(({ deployment_id }) => deployment_id))];
  const retries = new Map((await records.deployments.findAll(deploymentIds)).map((one) => [one.id, one.retries]));
  const again = rows.filter(({ attempt }) => attempt > 1);
  const attempts = await records.attempts.of(
    [...new Set(again.map(({ deployment_id }) => deployment_id))],
    [...new Set(again.map(({ device_id }) => device_id))],
  );
  const downloads = await records.deviceDownloads.last(deploymentIds, [...new Set(rows.map((row) => row.device_id))]);
  const open = rows.filter(({ finished_ms }) => finished_ms === null).map(({ device_id }) => device_id);
  const accepted = await records.devices.acceptedAmong([...new Set(open)]);
  return rows.map((row) => {
    const artifact = row.artifact_id === null ? undefined : artifacts.get(row.artifact_id);
    const download = downloads.find((one) => one.deploymentId === row.deployment_id && one.deviceId === row.device_id);
    return {
      deploymentId: row.deployment_id,
      deviceId: row.device_id,
      status: row.status,
      ...(row.substate === null ? {} : { substate: row.substate }),
      ...(row.reason === null || row.status !== "failure" ? {} : { reason: row.reason }),
      // A device deployment that ended before the first poll was created when it ended.
      createdMs: row.created_ms ?? row.finished_ms ?? 0,
      ...(row.started_ms === null ? {} : { startedMs: row.started_ms }),
      ...(row.finished_ms === null ? {} : { finishedMs: row.finished_ms }),
      ...(row.hidden_ms === null ? {} : { deletedMs: row.hidden_ms }),
      ...given({ artifact, download }),
      hasLog: row.has_log,
      attempts: row.attempt,
      retries: retries.get(row.deployment_id) ?? 0,
      failedAttempts: attempts
        .filter(({ deployment_id, device_id }) => deployment_id === row.deployment_id && device_id === row.device_id)
        .map(presentAttempt),
      unreachable: row.finished_ms === null && !accepted.has(row.device_id),
    };
  });
}

function presentAttempt({ attempt, substate, started_ms, finished_ms, reason }: AttemptRecord): FailedAttempt {
  return {
    attempt,
    ...(substate === null ? {} : { substate }),
    ...(reason === null ? {} : { reason }),
    ...(started_ms === null ? {} : { startedMs: started_ms }),
    finishedMs: finished_ms,
  };
}
