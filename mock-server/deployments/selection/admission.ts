import type { DeploymentRecord, DeviceDeploymentRecord, Records } from "../../storage/index.ts";
import { activePhase, hasFreeSlot } from "../phases.ts";
import { anySilent, type SilenceRules } from "../silence/silence.ts";

/** The slot of a device in a deployment; `phase` is `null` in a deployment without phases. */
export interface Slot {
  readonly phase: number | null;
}

/**
 * The slot that a device has or can take now. `undefined`: it gets no instructions, because the deployment is paused,
 * no phase is active, or the active phase has no free slot. `after-the-silent`: the silent devices of the deployment must
 * fail first, because that may pause it.
 */
export async function slotFor(
  records: Records,
  deployment: DeploymentRecord,
  pending: DeviceDeploymentRecord,
  nowMs: number,
  silence: SilenceRules,
): Promise<Slot | "after-the-silent" | undefined> {
  // A device that has its instructions continues.
  if (pending.request_json !== null) return { phase: pending.phase };
  if (deployment.paused_ms !== null) return undefined;
  // A retry keeps its slot.
  if (pending.admitted === 1) return { phase: pending.phase };
  if (await anySilent(records, deployment, nowMs, silence)) return "after-the-silent";
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
