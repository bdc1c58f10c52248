import type { Provides } from "@upkeep/shared/compatibility";
import type { ArtifactRecord, DeploymentRecord, DeviceDeploymentRecord, Records } from "../storage/index.ts";
import { admit, slotFor } from "./admission.ts";
import { chooseArtifact, isInstalled, sameProvides } from "./assignment.ts";
import { changeStatus } from "./changes.ts";
import { configurationArtifact, type InstructedArtifact } from "./configuration-artifact.ts";
import { join, leave, mayStay, openTo } from "./membership.ts";
import type { SilenceRules } from "./silence.ts";

/** What a device that asks is told. */
export type Selection =
  | { readonly kind: "nothing" }
  | {
      readonly kind: "instructions";
      readonly deployment: DeploymentRecord;
      readonly artifact: InstructedArtifact;
    }
  /** It says other things than when it got its instructions; its device deployment has failed. */
  | { readonly kind: "conflict" };

const NOTHING: Selection = { kind: "nothing" };

/**
 * The algorithm for selecting the deployment for a device. One deployment is looked at for each time that
 * the device asks.
 * @param records All within one transaction.
 * @param provides What the device says it has, `device_type` and `artifact_name` among it.
 */
export async function selectDeployment(
  records: Records,
  deviceId: string,
  provides: Provides,
  nowMs: number,
  silence: SilenceRules,
): Promise<Selection> {
  const target = await oldestNotFinished(records, deviceId);
  if (target === undefined) return NOTHING;

  const pending = await createDeviceDeployment(records, target, nowMs);
  if (contradicts(pending, provides)) {
    await changeStatus(records, pending, "failure", nowMs);
    return { kind: "conflict" };
  }

  const deployment = await deploymentOf(records, pending);
  const slot = await slotFor(records, deployment, pending, nowMs, silence);
  if (slot === undefined) return NOTHING;

  if (deployment.kind === "configuration") {
    await handOut(records, deployment, await admit(records, pending, slot), undefined, provides, nowMs);
    const artifact = configurationArtifact(deployment, deviceId, provides.device_type ?? "");
    return { kind: "instructions", deployment, artifact };
  }
  const artifact = await assignArtifact(records, deployment, pending, provides);
  const admitted = await admit(records, pending, slot);
  if (artifact === undefined) {
    await changeStatus(records, admitted, "noartifact", nowMs);
    return NOTHING;
  }
  if (!deployment.force_installation && admitted.status === "pending" && isInstalled(artifact, provides)) {
    await records.deviceDeployments.update(admitted, { artifact_id: artifact.id });
    await changeStatus(records, admitted, "already-installed", nowMs);
    return NOTHING;
  }
  await handOut(records, deployment, admitted, artifact, provides, nowMs);
  return { kind: "instructions", deployment, artifact };
}

/**
 * Only accepted devices take part; what is older than the last that the device finished is past. The device is
 * targeted by deployments that list it, and by those whose filter it matches now.
 */
async function oldestNotFinished(records: Records, deviceId: string): Promise<DeviceDeploymentRecord | undefined> {
  const device = await records.devices.find(deviceId);
  if (device?.status !== "accepted") return undefined;
  const lastFinished = await records.deviceDeployments.lastFinished(deviceId);
  for (;;) {
    const known = await records.deviceDeployments.oldestOpen(deviceId, lastFinished);
    const [matched] = await openTo(records, device, lastFinished, known?.sequence);
    if (matched !== undefined) return join(records, matched, deviceId);
    if (known === undefined || (await mayStay(records, known, device))) return known;
    await leave(records, known);
  }
}

/** Read-only pre-check: can any open deployment target this device? Most polls end here, without a transaction. */
export async function mayHaveWork(records: Records, deviceId: string): Promise<boolean> {
  if ((await records.deviceDeployments.oldestOpen(deviceId, 0)) !== undefined) return true;
  // Without an open deployment to a filter, the device's attributes need not be read.
  if ((await records.deployments.openDynamic(deviceId, 0)).length === 0) return false;
  const device = await records.devices.find(deviceId);
  if (device?.status !== "accepted") return false;
  const lastFinished = await records.deviceDeployments.lastFinished(deviceId);
  return (await openTo(records, device, lastFinished)).length > 0;
}

/** The device deployment begins, `pending`, when the device first asks for it. */
async function createDeviceDeployment(
  records: Records,
  target: DeviceDeploymentRecord,
  nowMs: number,
): Promise<DeviceDeploymentRecord> {
  if (target.created_ms !== null) return target;
  await records.deviceDeployments.update(target, { created_ms: nowMs });
  await records.deployments.countDevice(target.deployment_id);
  return { ...target, created_ms: nowMs };
}

/** True if the device got its instructions when it said something else of itself. */
function contradicts({ request_json }: DeviceDeploymentRecord, provides: Provides): boolean {
  return request_json !== null && !sameProvides(JSON.parse(request_json) as Provides, provides);
}

/** The deployment that a device deployment belongs to. */
export async function deploymentOf(
  records: Records,
  { deployment_id }: DeviceDeploymentRecord,
): Promise<DeploymentRecord> {
  const deployment = await records.deployments.find(deployment_id);
  if (deployment === undefined) throw new Error(`deployment ${deployment_id} of a device deployment is missing`);
  return deployment;
}

/** The artifact that the device was assigned before, or else one of the release that fits it. */
async function assignArtifact(
  records: Records,
  deployment: DeploymentRecord,
  { artifact_id }: DeviceDeploymentRecord,
  provides: Provides,
): Promise<ArtifactRecord | undefined> {
  if (artifact_id !== null) return (await records.artifacts.everKnown([artifact_id])).get(artifact_id);
  return chooseArtifact(await records.artifacts.ofReleases([deployment.artifact_name]), provides);
}

/** From now on the device gets this artifact for this deployment, and must go on saying the same of itself. */
async function handOut(
  records: Records,
  deployment: DeploymentRecord,
  pending: DeviceDeploymentRecord,
  artifact: ArtifactRecord | undefined,
  provides: Provides,
  nowMs: number,
): Promise<void> {
  if (pending.request_json !== null) return;
  await records.deviceDeployments.update(pending, {
    artifact_id: artifact?.id ?? null,
    request_json: JSON.stringify(provides),
    instructed_ms: nowMs,
    ...(deployment.silent_after_ms === null ? {} : { last_seen_ms: nowMs }),
  });
  if (pending.artifact_id === null && artifact !== undefined)
    await records.deployments.addToTotalSize(pending.deployment_id, artifact.sizeBytes);
}
