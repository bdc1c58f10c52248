import { given } from "@upkeep/shared/given";
import type { DeploymentRecord, DeviceDeploymentRecord, PlaceLimits, Records } from "../../storage/index.ts";
import { pipeline } from "../../storage/statement.ts";
import { activePhase, hasFreeSlot, placesOf } from "../phases.ts";
import { anySilent, type SilenceRules } from "../silence/silence.ts";

/** The slot of a device in a deployment; `phase` is `null` in a deployment without phases. */
export interface Slot {
  readonly phase: number | null;
  /** Absent: the deployment does not limit its places, or the device has one. */
  readonly limits?: PlaceLimits;
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
  const inAll = deployment.dynamic === 1 ? deployment.max_devices : null;
  if (phases.length === 0) return { phase: null, ...(inAll === null ? {} : { limits: { inAll } }) };
  const active = activePhase(phases, nowMs);
  if (active === undefined || !hasFreeSlot(phases, active, deployment.dynamic === 1)) return undefined;
  const inPhases = placesOf(phases, active, deployment.dynamic === 1);
  return { phase: active.number, limits: { ...given({ inPhases }), ...(inAll === null ? {} : { inAll }) } };
}

/**
 * Takes the slot, once an artifact (or that none fits) is decided for the device.
 * @returns `undefined` if other devices have taken the last place meanwhile.
 */
export async function admit(
  records: Records,
  pending: DeviceDeploymentRecord,
  slot: Slot,
): Promise<DeviceDeploymentRecord | undefined> {
  if (pending.admitted === 1) return pending;
  const { deployment_id } = pending;
  const { phase, limits } = slot;
  if (limits !== undefined && !(await records.places.take(deployment_id, phase !== null, limits))) return undefined;
  return await countAdmitted(records, pending, phase);
}

/** Counts the device as admitted, whether there is a place or not: it does not get the deployment later. */
export async function admitAnyway(records: Records, pending: DeviceDeploymentRecord): Promise<DeviceDeploymentRecord> {
  // Without effect if the deployment does not limit its places.
  await records.places.take(pending.deployment_id, false, {});
  return await countAdmitted(records, pending, null);
}

async function countAdmitted(
  records: Records,
  pending: DeviceDeploymentRecord,
  phase: number | null,
): Promise<DeviceDeploymentRecord> {
  const { deployment_id } = pending;
  await pipeline([
    records.deviceDeployments.updateStatement(pending, { admitted: 1, phase }),
    ...records.counters.addStatements(deployment_id, [
      ["admitted_count", 1],
      ...(phase === null ? [] : [[`phase ${phase} device_count`, 1] as const]),
    ]),
  ]);
  return { ...pending, admitted: 1, phase };
}
