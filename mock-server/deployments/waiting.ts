import { describeDevices } from "../devices/attributes.ts";
import type { DeploymentRecord, DeviceDeploymentRecord, DeviceRecord, PhaseRecord, Records } from "../storage/index.ts";
import { activePhase, hasFreeSlot } from "./phases.ts";
import { readQueues } from "./preview/queue.ts";

/** What an unfinished device deployment without instructions waits for. */
export type WaitingFor =
  | { readonly kind: "acceptance" }
  /** An older deployment comes first. */
  | { readonly kind: "older-deployment"; readonly deploymentId: string }
  /** The device has finished a newer deployment, or no longer matches the filter. */
  | { readonly kind: "nothing" }
  | { readonly kind: "resume" }
  /** A later phase, or a place in it. `startMs` is its planned start. */
  | { readonly kind: "phase"; readonly phaseId: string; readonly startMs?: number }
  /** The poll of the device: its first, or that of its next attempt. `sinceMs` is its last sign of life, if known. */
  | { readonly kind: "poll" | "retry"; readonly sinceMs?: number };

export const WAITING_KINDS = [
  "acceptance",
  "older-deployment",
  "nothing",
  "resume",
  "phase",
  "poll",
  "retry",
] as const satisfies readonly WaitingFor["kind"][];

/** By device. Devices that have their instructions or have finished wait for nothing, and are left out. */
export async function waitingFor(
  records: Records,
  deployment: DeploymentRecord,
  rows: readonly DeviceDeploymentRecord[],
  lastContact: (device: DeviceRecord) => number | undefined,
  nowMs: number,
): Promise<Map<string, WaitingFor>> {
  const open = rows.filter((row) => row.finished_ms === null && row.request_json === null);
  const ids = open.map(({ device_id }) => device_id);
  const devices = await records.devices.after({ ids }, "", ids.length);
  const accepted = devices.filter(({ status }) => status === "accepted");
  const inventories = await describeDevices(records, accepted);
  const queue = await readQueues(records, inventories);
  const first = new Map(inventories.map((device) => [device.id, queue(device)]));
  const known = new Map(accepted.map((device) => [device.id, device]));
  const phase = nextPhase(await records.phases.of(deployment.id), deployment, nowMs);
  const result = new Map<string, WaitingFor>();
  for (const row of open) {
    const device = known.get(row.device_id);
    const next = first.get(row.device_id);
    if (device === undefined) result.set(row.device_id, { kind: "acceptance" });
    else if (next?.id !== deployment.id) result.set(row.device_id, behind(row, next));
    else result.set(row.device_id, inTurn(row, deployment, phase, lastContact(device)));
  }
  return result;
}

function behind(
  row: DeviceDeploymentRecord,
  next: { readonly id: string; readonly sequence: number } | undefined,
): WaitingFor {
  if (next === undefined || next.sequence > row.sequence) return { kind: "nothing" };
  return { kind: "older-deployment", deploymentId: next.id };
}

function inTurn(
  row: DeviceDeploymentRecord,
  deployment: DeploymentRecord,
  phase: PhaseRecord | undefined,
  contactMs: number | undefined,
): WaitingFor {
  if (deployment.paused_ms !== null) return { kind: "resume" };
  if (row.admitted === 0 && phase !== undefined) {
    const { id: phaseId, start_ms } = phase;
    return { kind: "phase", phaseId, ...(start_ms === null ? {} : { startMs: start_ms }) };
  }
  const since = contactMs === undefined ? {} : { sinceMs: contactMs };
  return { kind: row.attempt > 1 ? "retry" : "poll", ...since };
}

/** The phase in which the next device gets a place; `undefined`: it gets one now. */
function nextPhase(
  phases: readonly PhaseRecord[],
  { dynamic }: DeploymentRecord,
  nowMs: number,
): PhaseRecord | undefined {
  const active = activePhase(phases, nowMs);
  if (active === undefined) return phases[0];
  if (hasFreeSlot(phases, active, dynamic === 1)) return undefined;
  return phases[active.number + 1] ?? active;
}
