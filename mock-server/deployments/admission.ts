import type { DeploymentRecord, DeviceDeploymentRecord, Records } from "../storage/index.ts";
import { activePhase, hasFreeSlot } from "./phases.ts";
import { failSilent, SILENT_BATCH, type SilenceRules } from "./silence.ts";

/** Where a device has its slot: in a phase, or in a deployment without phases. */
export interface Slot {
  readonly phase: number | null;
}

/**
 * The slot of a device in a deployment. `undefined`: it has none yet and gets no instructions now, because the
 * deployment is paused, no phase is active, or the active phase's share is used up.
 */
export async function slotFor(
  records: Records,
  deployment: DeploymentRecord,
  pending: DeviceDeploymentRecord,
  nowMs: number,
  silence: SilenceRules,
): Promise<Slot | undefined> {
  // Who is in the middle of it goes on.
  if (pending.request_json !== null) return { phase: pending.phase };
  if (deployment.paused_ms !== null) return undefined;
  // A retry takes no second slot.
  if (pending.admitted === 1) return { phase: pending.phase };
  const silent = await failSilent(records, deployment, nowMs, silence);
  // There may be more of them: whether the deployment goes on is not known before all have been counted.
  if (silent === SILENT_BATCH) return undefined;
  if (silent > 0) {
    const after = await records.deployments.find(deployment.id);
    if (after === undefined || after.paused_ms !== null || after.status === "finished") return undefined;
  }
  const phases = await records.phases.of(deployment.id);
  if (phases.length === 0) return { phase: null };
  const active = activePhase(phases, nowMs);
  if (active === undefined || !hasFreeSlot(phases, active, deployment.dynamic === 1)) return undefined;
  return { phase: active.number };
}

/** The device takes its slot: a decision about an artifact has been made for it. */
export async function admit(
  records: Records,
  pending: DeviceDeploymentRecord,
  slot: Slot,
): Promise<DeviceDeploymentRecord> {
  if (pending.admitted === 1) return pending;
  await records.deviceDeployments.update(pending, { admitted: 1, phase: slot.phase });
  await records.deployments.countAdmitted(pending.deployment_id);
  if (slot.phase !== null) await records.phases.countDevice(pending.deployment_id, slot.phase);
  return { ...pending, admitted: 1, phase: slot.phase };
}
