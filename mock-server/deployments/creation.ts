import { PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import type { Clock, Random } from "@upkeep/shared/system";
import { sha256 } from "../digest.ts";
import { conflict, invalid, unprocessable } from "../errors.ts";
import type { DeploymentRecord, Records } from "../storage/index.ts";

/** What an administrator asks for: either a list of devices, or all that are accepted now. */
export interface NewDeployment {
  readonly name: string;
  /** The release. */
  readonly artifactName: string;
  readonly devices?: readonly string[];
  readonly allDevices?: boolean;
  /** Install also where the artifact is installed already. */
  readonly forceInstallation?: boolean;
}

/** So many of the devices that cannot take part are named. */
const NAMED_MAX = 10;

/** @returns The id of the new deployment. */
export async function createDeployment(
  records: Records,
  system: { readonly clock: Clock; readonly random: Random },
  request: NewDeployment,
): Promise<string> {
  checkShape(request);
  const targets = request.allDevices ? undefined : await acceptedTargets(records, request.devices ?? []);
  if ((targets?.length ?? (await records.devices.count("accepted"))) === 0)
    throw invalid("No devices for the deployment");
  if ((await records.artifacts.ofReleases([request.artifactName])).length === 0) {
    throw unprocessable("No artifact for the deployment");
  }
  const parametersSha256 = digestOf(request, targets);
  const alike = await records.deployments.activeLike(parametersSha256);
  if (alike !== undefined) {
    throw conflict(`there is already an active deployment with the same parameters: ${alike}`, { conflict: alike });
  }
  const sequence = await records.deployments.nextSequence();
  const deployment: DeploymentRecord = {
    id: system.random.uuid(),
    sequence,
    name: request.name,
    artifact_name: request.artifactName,
    force_installation: request.forceInstallation ? 1 : 0,
    all_devices: request.allDevices ? 1 : 0,
    target_count: targets?.length ?? (await records.devices.count("accepted")),
    device_count: 0,
    status: "pending",
    total_size_bytes: 0,
    created_ms: system.clock.now(),
    finished_ms: null,
    active_sha256: parametersSha256,
  };
  await records.deployments.insert(deployment);
  if (targets === undefined) await records.deviceDeployments.insertAllAccepted(deployment);
  else await records.deviceDeployments.insertTargets(deployment, targets);
  await records.counters.add(deployment.id, "pending", deployment.target_count);
  return deployment.id;
}

function checkShape({ name, artifactName, devices, allDevices }: NewDeployment): void {
  const faults = [
    lengthFault("name", name, PROTOCOL_LIMITS.deploymentNameMax),
    lengthFault("artifact_name", artifactName, PROTOCOL_LIMITS.artifactNameMax),
    devices?.includes("") ? "devices: a device id cannot be blank" : undefined,
    !allDevices && devices === undefined ? "provide list of devices or set all_devices flag" : undefined,
    allDevices && devices !== undefined && devices.length > 0
      ? "list of devices provided together with all_devices flag"
      : undefined,
  ].filter((fault) => fault !== undefined);
  if (faults.length > 0) {
    throw invalid(`Validating request body: Invalid deployments definition: ${faults.join("; ")}`);
  }
}

function lengthFault(field: string, value: string, max: number): string | undefined {
  if (value === "") return `${field}: cannot be blank`;
  return value.length > max ? `${field}: the length must be between 1 and ${max}` : undefined;
}

/** The devices, each once, sorted. */
async function acceptedTargets(records: Records, devices: readonly string[]): Promise<readonly string[]> {
  const targets = [...new Set(devices)].sort();
  const accepted = await records.devices.acceptedAmong(targets);
  const others = targets.filter((id) => !accepted.has(id));
  if (others.length > 0) {
    const named = others.slice(0, NAMED_MAX).join(", ");
    const rest = others.length > NAMED_MAX ? ` and ${others.length - NAMED_MAX} more` : "";
    throw invalid(`devices: only accepted devices can be part of a deployment; not accepted: ${named}${rest}`);
  }
  return targets;
}

function digestOf(request: NewDeployment, targets: readonly string[] | undefined): string {
  const { name, artifactName, forceInstallation = false } = request;
  return sha256(JSON.stringify([name, artifactName, targets ?? "all", forceInstallation]));
}
