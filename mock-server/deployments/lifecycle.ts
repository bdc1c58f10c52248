import {
  DEPLOYMENT_STATUSES,
  type DeploymentStatus,
  type DeviceDeploymentStatus,
  isTerminal,
  type ReportedStatus,
  TERMINAL_STATUSES,
} from "@upkeep/shared/protocol";
import { DomainError } from "../errors.ts";
import type { DeploymentRecord, DeviceDeploymentRecord, Statistics } from "../storage/index.ts";

/** What becomes of a status that a device reports. */
export type Verdict =
  | { readonly kind: "change" }
  /** A failure that is not the last: the device gets the deployment again. */
  | { readonly kind: "retry" }
  /** It is what we know already: acknowledged, nothing changes. */
  | { readonly kind: "same" }
  /** Nothing changes, and the device is told to stop. */
  | { readonly kind: "refuse"; readonly error: DomainError };

/**
 * ```
 *   pending ──► downloading, pause_…, installing, rebooting ──► success, failure, already-installed
 *      │          any of them after any other                          │
 *      └──────────────────┴──► aborted, decommissioned, …        the end: the same again is fine,
 *                                   the end: any report 409       anything else 409
 * ```
 */
export function verdictOn(current: DeviceDeploymentStatus, reported: ReportedStatus): Verdict {
  if (current === "aborted") return refuse(new DomainError("deployment-aborted"));
  if (current === "decommissioned") return refuse(new DomainError("device-decommissioned"));
  if (current === reported) return { kind: "same" };
  if (isTerminal(current)) return refuse(new DomainError("device-deployment-finished", { status: current }));
  return { kind: "change" };
}

function refuse(error: DomainError): Verdict {
  return { kind: "refuse", error };
}

/**
 * What becomes of a report when the attempts of a device are counted. A failure that arrives again after it was
 * followed by another attempt, because its answer was lost, costs none.
 */
export function verdictOnAttempt(
  deviceDeployment: Pick<DeviceDeploymentRecord, "status" | "attempt" | "request_json">,
  deployment: Pick<DeploymentRecord, "status" | "retries">,
  reported: ReportedStatus,
): Verdict {
  const { status, attempt, request_json } = deviceDeployment;
  if (status === "pending" && request_json === null) {
    if (attempt > 1 && reported === "failure") return { kind: "same" };
    return refuse(new DomainError("device-deployment-not-begun"));
  }
  const verdict = verdictOn(status, reported);
  const again = verdict.kind === "change" && reported === "failure" && attempt <= deployment.retries;
  return again && deployment.status !== "finished" ? { kind: "retry" } : verdict;
}

/** The times of a device deployment that follow from its status. `null`: not yet. */
export interface Milestones {
  readonly started_ms: number | null;
  readonly finished_ms: number | null;
}

/** Started when it is first anything but pending; finished at its end. Neither is ever taken back. */
export function milestones(before: Milestones, to: DeviceDeploymentStatus, nowMs: number): Milestones {
  return {
    started_ms: before.started_ms ?? (to === "pending" ? null : nowMs),
    finished_ms: before.finished_ms ?? (isTerminal(to) ? nowMs : null),
  };
}

/**
 * The status of a deployment; never one that came before what it is now. One to a list of devices is `finished`
 * once all of them have, and `inprogress` once one of them has got anywhere. One to a filter stays `pending`
 * until as many devices have finished as it may have at most; without such a limit a user finishes it.
 * @param begun A device has got somewhere, even if all are pending now.
 */
export function deploymentStatus(
  deployment: Pick<DeploymentRecord, "status" | "target_count" | "dynamic" | "max_devices">,
  statistics: Statistics,
  begun = false,
): DeploymentStatus {
  const { status, target_count, dynamic, max_devices } = deployment;
  const ended = TERMINAL_STATUSES.reduce((sum, terminal) => sum + statistics[terminal], 0);
  const limit = dynamic === 1 ? (max_devices ?? Number.POSITIVE_INFINITY) : target_count;
  const underWay = dynamic === 0 && (begun || statistics.pending < target_count);
  const reached = ended >= limit ? "finished" : underWay ? "inprogress" : "pending";
  return DEPLOYMENT_STATUSES.indexOf(reached) > DEPLOYMENT_STATUSES.indexOf(status) ? reached : status;
}
