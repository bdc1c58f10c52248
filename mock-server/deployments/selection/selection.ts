import type { Provides } from "@upkeep/shared/compatibility";
import type { ArtifactRecord, DeploymentRecord, DeviceDeploymentRecord, Records } from "../../storage/index.ts";
import { pipeline } from "../../storage/statement.ts";
import { configurationArtifact, type InstructedArtifact } from "../configurations/configuration-artifact.ts";
import { changeStatus } from "../device-deployment/changes.ts";
import type { SilenceRules } from "../silence/silence.ts";
import { admit, slotFor } from "./admission.ts";
import { chooseArtifact, offerOf, sameProvides } from "./assignment.ts";
import { addTarget, hasRoom, matchingDeployments, mayRemain, removeTarget } from "./membership.ts";

/** The result of a selection. */
export type Selection =
  | { readonly kind: "nothing" }
  | {
      readonly kind: "instructions";
      readonly deployment: DeploymentRecord;
      readonly artifact: InstructedArtifact;
    }
  /** The provides differ from those that the instructions were computed for; the device deployment has failed. */
  | { readonly kind: "conflict" }
  /** Silent devices of the deployment must fail before the device gets a slot in it. */
  | { readonly kind: "after-the-silent"; readonly deploymentId: string };

const NOTHING: Selection = { kind: "nothing" };

/**
 * Selects the deployment for a device that polls. Each poll considers one deployment.
 * @param records The records of one transaction.
 * @param provides The provides of the device, `device_type` and `artifact_name` included.
 */
export async function selectDeployment(
  records: Records,
  deviceId: string,
  provides: Provides,
  nowMs: number,
  silence: SilenceRules,
): Promise<Selection> {
  const target = await oldestUnfinished(records, deviceId);
  if (target === undefined) return NOTHING;

  const pending = await createDeviceDeployment(records, target, nowMs);
  if (contradicts(pending, provides)) {
    await changeStatus(records, pending, "failure", nowMs);
    return { kind: "conflict" };
  }

  const deployment = await deploymentOf(records, pending);
  const slot = await slotFor(records, deployment, pending, nowMs, silence);
  if (slot === undefined) return NOTHING;
  if (slot === "after-the-silent") return { kind: slot, deploymentId: deployment.id };

  if (deployment.kind === "configuration") {
    const admitted = await admit(records, pending, slot);
    if (admitted === undefined) return withoutPlace(records, pending);
    await pinInstructions(records, deployment, admitted, undefined, provides, nowMs);
    const artifact = configurationArtifact(deployment, deviceId, provides.device_type ?? "");
    return { kind: "instructions", deployment, artifact };
  }
  const artifact = await assignArtifact(records, deployment, pending, provides);
  const admitted = await admit(records, pending, slot);
  if (admitted === undefined) return withoutPlace(records, pending);
  // A device that has begun continues.
  const offer = offerOf(artifact, provides, deployment.force_installation === 1 || admitted.status !== "pending");
  switch (offer.kind) {
    case "no-artifact":
      await changeStatus(records, admitted, "noartifact", nowMs);
      return NOTHING;
    case "already-installed":
      await records.deviceDeployments.update(admitted, { artifact_id: offer.artifact.id });
      await changeStatus(records, admitted, "already-installed", nowMs);
      return NOTHING;
    case "artifact":
      await pinInstructions(records, deployment, admitted, offer.artifact, provides, nowMs);
      return { kind: "instructions", deployment, artifact: offer.artifact };
  }
}

/** Others have taken the last place meanwhile. The device waits for a later phase; in a full deployment it has no part. */
async function withoutPlace(records: Records, pending: DeviceDeploymentRecord): Promise<Selection> {
  const deployment = await deploymentOf(records, pending);
  if (deployment.dynamic === 1 && !hasRoom(deployment)) await removeTarget(records, pending);
  return NOTHING;
}

/**
 * The oldest unfinished deployment that targets the device: it lists the device, or the device matches its filter now.
 * Only accepted devices take part, and deployments older than the last finished one are skipped.
 */
async function oldestUnfinished(records: Records, deviceId: string): Promise<DeviceDeploymentRecord | undefined> {
  const device = await records.devices.find(deviceId);
  if (device?.status !== "accepted") return undefined;
  const lastFinished = await records.deviceDeployments.lastFinished(deviceId);
  for (;;) {
    const known = await records.deviceDeployments.oldestOpen(deviceId, lastFinished);
    const [matched] = await matchingDeployments(records, device, lastFinished, known?.sequence);
    if (matched !== undefined) return addTarget(records, matched, deviceId);
    if (known === undefined || (await mayRemain(records, known, device))) return known;
    await removeTarget(records, known);
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
  return (await matchingDeployments(records, device, lastFinished)).length > 0;
}

/** Creates the device deployment, `pending`, at the first poll for it. */
async function createDeviceDeployment(
  records: Records,
  target: DeviceDeploymentRecord,
  nowMs: number,
): Promise<DeviceDeploymentRecord> {
  if (target.created_ms !== null) return target;
  await pipeline([
    records.deviceDeployments.updateStatement(target, { created_ms: nowMs }),
    ...records.counters.addStatements(target.deployment_id, [["device_count", 1]]),
  ]);
  return { ...target, created_ms: nowMs };
}

/** True if the device got its instructions for other provides. */
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

/** The artifact that the device was assigned before, or else the artifact of the release that fits the device. */
async function assignArtifact(
  records: Records,
  deployment: DeploymentRecord,
  { artifact_id }: DeviceDeploymentRecord,
  provides: Provides,
): Promise<ArtifactRecord | undefined> {
  if (artifact_id !== null) return (await records.artifacts.everKnown([artifact_id])).get(artifact_id);
  return chooseArtifact(await records.artifacts.ofRelease(deployment.artifact_name), provides);
}

/** Pins the artifact and the provides: later polls get the same instructions and must send the same provides. */
async function pinInstructions(
  records: Records,
  deployment: DeploymentRecord,
  pending: DeviceDeploymentRecord,
  artifact: ArtifactRecord | undefined,
  provides: Provides,
  nowMs: number,
): Promise<void> {
  if (pending.request_json !== null) return;
  const isFirst = pending.artifact_id === null && artifact !== undefined;
  await pipeline([
    records.deviceDeployments.updateStatement(pending, {
      artifact_id: artifact?.id ?? null,
      request_json: JSON.stringify(provides),
      instructed_ms: nowMs,
      ...(deployment.silent_after_ms === null ? {} : { last_seen_ms: nowMs }),
    }),
    ...records.counters.addStatements(pending.deployment_id, [["total_size_bytes", isFirst ? artifact.sizeBytes : 0]]),
  ]);
}
