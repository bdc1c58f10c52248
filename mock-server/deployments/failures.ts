import { notFound } from "../errors.ts";
import type { FailureFilter, SampledFailure } from "../storage/failures.ts";
import type { Records } from "../storage/index.ts";

/** Failures with the same reason. */
export interface FailureGroup {
  /** Absent: the devices told none. */
  readonly reason?: string;
  readonly count: number;
  /** The last of them. */
  readonly sample: readonly { readonly deploymentId: string; readonly deviceId: string }[];
}

const SAMPLE_MAX = 10;
const SAMPLES_MAX = 1000;

/**
 * Failed device deployments by reason, the most frequent first. Attempts that were followed by another do not count.
 * @throws DomainError (not-found) if there is no such deployment.
 */
export async function failuresByReason(records: Records, filter: FailureFilter): Promise<FailureGroup[]> {
  const { deploymentId } = filter;
  if (deploymentId !== undefined && (await records.deployments.find(deploymentId)) === undefined) throw notFound();
  const groups = new Map<string | null, SampledFailure[]>();
  for (const failure of await records.failures.byReason(filter, SAMPLE_MAX, SAMPLES_MAX)) {
    const group = groups.get(failure.reason);
    if (group === undefined) groups.set(failure.reason, [failure]);
    else group.push(failure);
  }
  return [...groups].map(([reason, sample]) => ({
    ...(reason === null ? {} : { reason }),
    count: sample[0]?.count ?? 0,
    sample: sample.map(({ deployment_id, device_id }) => ({ deploymentId: deployment_id, deviceId: device_id })),
  }));
}
