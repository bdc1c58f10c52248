import { type DeviceDeploymentStatus, isTerminal } from "@upkeep/shared/protocol";
import { notFound } from "../errors.ts";
import type { DeviceDeploymentRecord, Records, StateRecord } from "../storage/index.ts";

/** A device deployment from its first poll to its end. */
export interface Timeline {
  readonly deploymentId: string;
  readonly deviceId: string;
  readonly status: DeviceDeploymentStatus;
  /** In order. */
  readonly states: readonly TimelineState[];
}

export interface TimelineState {
  readonly status: DeviceDeploymentStatus;
  /** From 1. */
  readonly attempt: number;
  readonly substate?: string;
  readonly startedMs: number;
  /** When the next one began; absent of the last. */
  readonly finishedMs?: number;
  /** Of `pending`: when the device got the instructions of this attempt. */
  readonly instructedMs?: number;
}

/** @throws DomainError (not-found) if the device has no such device deployment, or has not polled for it. */
export async function timelineOf(records: Records, deploymentId: string, deviceId: string): Promise<Timeline> {
  const row = await records.deviceDeployments.find(deploymentId, deviceId);
  const deployment = await records.deployments.find(deploymentId);
  if (row === undefined || deployment === undefined || (row.created_ms === null && row.finished_ms === null)) {
    throw notFound();
  }
  const changes = await records.states.of(deploymentId, deviceId);
  const instructed = new Map([[row.attempt, row.instructed_ms]]);
  for (const { attempt, started_ms } of await records.attempts.of([deploymentId], [deviceId])) {
    instructed.set(attempt, started_ms);
  }
  return { deploymentId, deviceId, status: row.status, states: statesOf(row, changes, instructed) };
}

function statesOf(
  row: DeviceDeploymentRecord,
  changes: readonly StateRecord[],
  instructed: ReadonlyMap<number, number | null>,
): TimelineState[] {
  const createdMs = row.created_ms ?? changes[0]?.at_ms ?? row.finished_ms ?? 0;
  const first = { status: "pending", attempt: 1, at_ms: createdMs, substate: null } as const;
  const all = [first, ...changes];
  return all.map(({ status, attempt, at_ms, substate }, index) => {
    const next = all[index + 1];
    const instructedMs = status === "pending" ? (instructed.get(attempt) ?? undefined) : undefined;
    return {
      status,
      attempt,
      ...(substate === null ? {} : { substate }),
      startedMs: at_ms,
      ...(next === undefined || isTerminal(status) ? {} : { finishedMs: next.at_ms }),
      ...(instructedMs === undefined ? {} : { instructedMs }),
    };
  });
}
