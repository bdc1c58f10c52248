import {
  DEPLOYMENT_STATUSES,
  type DeploymentStatus,
  type DeviceDeploymentStatus,
  isTerminal,
  type ReportedStatus,
  TERMINAL_STATUSES,
} from "@upkeep/shared/protocol";
import type { Statistics } from "../storage/index.ts";

/** What becomes of a status that a device reports. */
export type Verdict =
  | { readonly kind: "change" }
  /** It is what we know already: acknowledged, nothing changes. */
  | { readonly kind: "same" }
  /** Nothing changes, and the device is told to stop. */
  | { readonly kind: "refuse"; readonly message: string };

/**
 * ```
 *   pending ──► downloading, pause_…, installing, rebooting ──► success, failure, already-installed
 *      │          any of them after any other                          │
 *      └──────────────────┴──► aborted, decommissioned, …        the end: the same again is fine,
 *                                   the end: any report 409       anything else 409
 * ```
 */
export function verdictOn(current: DeviceDeploymentStatus, reported: ReportedStatus): Verdict {
  if (current === "aborted") return { kind: "refuse", message: "Deployment aborted" };
  if (current === "decommissioned") return { kind: "refuse", message: "Device decommissioned" };
  if (current === reported) return { kind: "same" };
  if (isTerminal(current)) return { kind: "refuse", message: `Device deployment already finished: ${current}` };
  return { kind: "change" };
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
 * The status of a deployment to a list of devices: `finished` once all of them have; `inprogress` once one
 * of them has got anywhere; never one that came before `current`.
 */
export function deploymentStatus(
  current: DeploymentStatus,
  statistics: Statistics,
  targetCount: number,
): DeploymentStatus {
  const finished = TERMINAL_STATUSES.reduce((sum, status) => sum + statistics[status], 0);
  const reached = finished >= targetCount ? "finished" : statistics.pending < targetCount ? "inprogress" : "pending";
  return DEPLOYMENT_STATUSES.indexOf(reached) > DEPLOYMENT_STATUSES.indexOf(current) ? reached : current;
}
