import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { DeviceDeploymentRecord, StateRecord } from "../../storage/index.ts";

/** The next state of a device deployment, for its timeline. */
export function stateAfter(
  { deployment_id, device_id, state_count, status, attempt }: DeviceDeploymentRecord,
  next: {
    readonly status: DeviceDeploymentStatus;
    readonly atMs: number;
    readonly substate: string | null;
    /** Default: the same. */
    readonly attempt?: number;
  },
): StateRecord {
  return {
    deployment_id,
    device_id,
    number: state_count + 1,
    at_ms: next.atMs,
    attempt: next.attempt ?? attempt,
    from_status: status,
    status: next.status,
    substate: next.substate,
  };
}
