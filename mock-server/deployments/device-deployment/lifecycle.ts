import {
  type DeviceDeploymentStatus,
  isTerminal,
  type ReportedStatus,
  TERMINAL_STATUSES,
} from "@upkeep/shared/protocol";
import { DomainError } from "../../errors.ts";
import type { DeploymentRecord, DeviceDeploymentRecord, Statistics } from "../../storage/index.ts";

/** The consequence of a reported status. */
export type Verdict =
  | { readonly kind: "change" }
  /** A failure with attempts left: the device gets the deployment again. */
  | { readonly kind: "retry" }
  /** The same status as recorded: acknowledged without a change. */
  | { readonly kind: "same" }
  /** Nothing changes, and the device is told why. */
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
 * The verdict on a report, considering the attempts of the device. A failure that is reported again after the next
 * attempt was granted, because the first answer was lost, costs no attempt.
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

/** The times of a device deployment that its status determines. `null`: not yet. */
export interface Milestones {
  readonly started_ms: number | null;
  readonly finished_ms: number | null;
}

/** Started with the first status but `pending`, finished with a terminal one. Neither is ever reset. */
export function milestones(before: Milestones, to: DeviceDeploymentStatus, nowMs: number): Milestones {
  return {
    started_ms: before.started_ms ?? (to === "pending" ? null : nowMs),
    finished_ms: before.finished_ms ?? (isTerminal(to) ? nowMs : null),
  };
}

/**
 * True if enough devices have ended for the deployment to be finished: all those that it lists, or `max_devices` of
 * those that its filter matches. Without that limit a user finishes it.
 */
export function isComplete(
  { target_count, dynamic, max_devices }: Pick<DeploymentRecord, "target_count" | "dynamic" | "max_devices">,
  statistics: Statistics,
): boolean {
  const ended = TERMINAL_STATUSES.reduce((sum, terminal) => sum + statistics[terminal], 0);
  return ended >= (dynamic === 1 ? (max_devices ?? Number.POSITIVE_INFINITY) : target_count);
}
