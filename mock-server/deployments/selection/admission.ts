import type { DeploymentRecord, DeviceDeploymentRecord, Records } from "../../storage/index.ts";
import { activePhase, hasFreeSlot } from "../phases.ts";
import { failSilent, SILENT_BATCH, type SilenceRules } from "../silence/silence.ts";

/** The slot of a device in a deployment; `phase` is `null` in a deployment without phases. */
export interface Slot {
  readonly phase: number | null;
}

/**
 * The slot that a device has or can take now. `undefined`: it gets no instructions, because the deployment is paused,
 * no phase is active, or the active phase has no free slot.
 */
export async function slotFor(
  records: Records,
  deployment: DeploymentRecord,
  pending: DeviceDeploymentRecord,
  nowMs: number,
  silence: SilenceRules,
): Promise<Slot | undefined> {
  // A device that has its instructions continues.
  if (pending.request_json !== null) return { phase: pending.phase };
  if (deployment.paused_ms !== null) return undefined;
  // A retry keeps its slot.
  if (pending.admitted === 1) return { phase: pending.phase };
  const silent = await failSilent(records, deployment, nowMs, silence);
  // More devices may be silent, and any of them may pause the deployment: decide at the next poll.
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

/** Takes the slot, once an artifact (or that none fits) is decided for the device. */
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
