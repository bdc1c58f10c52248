import type { Clock, Random } from "@upkeep/shared/system";
import { sha256 } from "../digest.ts";
import { conflict, invalid, unprocessable } from "../errors.ts";
import type { DeploymentRecord, Records } from "../storage/index.ts";
import type { Membership } from "./membership.ts";
import type { NewDeployment, Rollout } from "./new-deployment.ts";
import { planPhases } from "./phases.ts";

export interface Sources {
  readonly clock: Clock;
  readonly random: Random;
}

/** Whom a deployment is for, as the request resolves at this moment. */
type Targeting =
  | { readonly kind: "devices"; readonly ids: readonly string[]; readonly group?: string }
  | { readonly kind: "all"; readonly count: number }
  | { readonly kind: "filter"; readonly filter: Membership; readonly matching: number };

/** So many of the devices that cannot take part are named. */
const NAMED_MAX = 10;

/**
 * @param filter The filter that the request names, and how many devices match it now.
 * @returns The id of the new deployment.
 */
export async function createDeployment(
  records: Records,
  system: Sources,
  request: NewDeployment,
  filter?: { readonly filter: Membership; readonly matching: number },
): Promise<string> {
  const targeting: Targeting = filter === undefined ? await resolve(records, request) : { kind: "filter", ...filter };
  if (targeting.kind !== "filter" && countOf(targeting) === 0) throw invalid("No devices for the deployment");
  if ((await records.artifacts.ofReleases([request.artifactName])).length === 0) {
    throw unprocessable("No artifact for the deployment");
  }
  const parametersSha256 = digestOf(request, targeting);
  const alike = await records.deployments.activeLike(parametersSha256);
  if (alike !== undefined) {
    throw conflict(`there is already an active deployment with the same parameters: ${alike}`, { conflict: alike });
  }
  return insertDeployment(records, system, request, {
    name: request.name,
    artifact_name: request.artifactName,
    force_installation: request.forceInstallation ? 1 : 0,
    active_sha256: parametersSha256,
    max_devices: request.maxDevices ?? null,
    targeting,
  });
}

/** What is particular to a deployment, beside how it is rolled out. */
interface Draft
  extends Partial<Pick<DeploymentRecord, "id" | "kind" | "configuration_json" | "max_devices">>,
    Pick<DeploymentRecord, "name" | "artifact_name" | "force_installation" | "active_sha256"> {
  readonly targeting: Targeting;
}

/** @returns The id of the new deployment. */
export async function insertDeployment(
  records: Records,
  system: Sources,
  rollout: Rollout,
  { targeting, ...draft }: Draft,
): Promise<string> {
  const { phases = [], updateControlMap } = rollout;
  const initialCount = countOf(targeting);
  const planned = planPhases(phases, initialCount, targeting.kind === "filter");
  const targetCount = targeting.kind === "filter" ? 0 : initialCount;
  const deployment: DeploymentRecord = {
    kind: "software",
    configuration_json: null,
    max_devices: null,
    id: system.random.uuid(),
    ...draft,
    sequence: await records.deployments.nextSequence(),
    all_devices: targeting.kind === "all" ? 1 : 0,
    target_count: targetCount,
    initial_device_count: initialCount,
    device_count: 0,
    admitted_count: 0,
    status: "pending",
    total_size_bytes: 0,
    created_ms: system.clock.now(),
    finished_ms: null,
    retries: rollout.retries ?? 0,
    silent_after_ms: rollout.silentAfterMs ?? null,
    paused_ms: null,
    pause_reason: null,
    dynamic: targeting.kind === "filter" ? 1 : 0,
    group_name: targeting.kind === "devices" ? (targeting.group ?? null) : null,
    filter_json: targeting.kind === "filter" ? JSON.stringify(targeting.filter) : null,
    update_control_map_json: updateControlMap === undefined ? null : JSON.stringify(updateControlMap),
  };
  await records.deployments.insert(deployment);
  if (targeting.kind === "all") await records.deviceDeployments.insertAllAccepted(deployment);
  if (targeting.kind === "devices") await records.deviceDeployments.insertTargets(deployment, targeting.ids);
  await records.counters.add(deployment.id, "pending", targetCount);
  await records.phases.insert(
    planned.map((phase, number) => ({
      deployment_id: deployment.id,
      number,
      id: system.random.uuid(),
      batch_percent: phase.batchPercent,
      places: phase.places,
      start_ms: phase.startMs,
      success_percent: phase.successPercent,
      error_percent: phase.errorPercent,
      device_count: 0,
      succeeded: 0,
      failed: 0,
      excluded: 0,
      tolerated: 0,
    })),
  );
  return deployment.id;
}

function countOf(targeting: Targeting): number {
  switch (targeting.kind) {
    case "devices":
      return targeting.ids.length;
    case "all":
      return targeting.count;
    case "filter":
      return targeting.matching;
  }
}

async function resolve(records: Records, { devices = [], allDevices, group }: NewDeployment): Promise<Targeting> {
  if (allDevices) return { kind: "all", count: await records.devices.count("accepted") };
  if (group !== undefined) return { kind: "devices", ids: await records.devices.acceptedInGroup(group), group };
  return { kind: "devices", ids: await acceptedTargets(records, devices) };
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

function digestOf(request: NewDeployment, targeting: Targeting): string {
  const { name, artifactName, forceInstallation = false } = request;
  const whom = { devices: () => targetsOf(targeting), all: () => "all", filter: () => ["filter", request.filterId] };
  return sha256(JSON.stringify([name, artifactName, whom[targeting.kind](), forceInstallation]));
}

function targetsOf(targeting: Targeting): readonly string[] {
  return targeting.kind === "devices" ? targeting.ids : [];
}
