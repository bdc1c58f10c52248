import type { Clock, Random } from "@upkeep/shared/system";
import { runningSha256, sha256 } from "../../digest.ts";
import { DomainError } from "../../errors.ts";
import type { DeploymentRecord, Records } from "../../storage/index.ts";
import { type PlannedPhase, planPhases } from "../phases.ts";
import type { Membership } from "../selection/membership.ts";
import type { NewDeployment, Rollout } from "./new-deployment.ts";

/** The clock and the randomness of the system. */
export interface Sources {
  readonly clock: Clock;
  readonly random: Random;
}

/** The targets of a deployment, as its request resolves now. */
export type Targeting =
  | { readonly kind: "devices"; readonly ids: readonly string[]; readonly group?: string }
  | { readonly kind: "all"; readonly count: number }
  | { readonly kind: "filter"; readonly filter: Membership; readonly matching: number };

/**
 * @param filter The filter that the request names, and the number of devices that match it now.
 * @returns The id of the new deployment.
 */
export async function createDeployment(
  records: Records,
  system: Sources,
  request: NewDeployment,
  filter?: { readonly filter: Membership; readonly matching: number },
): Promise<string> {
  const targeting: Targeting = filter === undefined ? await resolve(records, request) : { kind: "filter", ...filter };
  if (targeting.kind !== "filter" && countOf(targeting) === 0) throw new DomainError("no-target-devices");
  await checkRelease(records, request);
  const parametersSha256 = digestOf(request, targeting);
  await checkNotDuplicate(records, parametersSha256);
  return insertDeployment(records, system, request, {
    name: request.name,
    artifact_name: request.artifactName,
    force_installation: request.forceInstallation ? 1 : 0,
    active_sha256: parametersSha256,
    max_devices: request.maxDevices ?? null,
    retry_of: request.retryOf ?? null,
    targeting,
  });
}

/** @throws DomainError (unprocessable) if the release has no artifact. */
export async function checkRelease(records: Records, { artifactName }: NewDeployment): Promise<void> {
  if ((await records.artifacts.ofRelease(artifactName)).length === 0) {
    throw new DomainError("no-artifact");
  }
}

/** @throws DomainError (deployment-exists) if an unfinished deployment has the same parameters. */
export async function checkNotDuplicate(records: Records, parametersSha256: string): Promise<void> {
  const alike = await records.deployments.activeLike(parametersSha256);
  if (alike === undefined) return;
  throw new DomainError("deployment-exists", { id: alike });
}

/** A new deployment, apart from its rollout. */
export interface Draft
  extends Partial<Pick<DeploymentRecord, "id" | "kind" | "configuration_json" | "max_devices" | "retry_of">>,
    Pick<DeploymentRecord, "name" | "artifact_name" | "force_installation" | "active_sha256"> {
  readonly targeting: Targeting;
}

/** @returns The id of the new deployment. */
export async function insertDeployment(
  records: Records,
  system: Sources,
  rollout: Rollout,
  draft: Draft,
): Promise<string> {
  const { targeting } = draft;
  const initialCount = countOf(targeting);
  const planned = planPhases(rollout.phases ?? [], initialCount, targeting.kind === "filter");
  const deployment: DeploymentRecord = {
    ...draftedDeployment(system, rollout, draft),
    sequence: await records.deployments.nextSequence(),
    target_count: targeting.kind === "filter" ? 0 : initialCount,
    initial_device_count: initialCount,
  };
  await records.deployments.insert(deployment);
  if (targeting.kind === "all") await records.deviceDeployments.insertAccepted(deployment, undefined, undefined);
  if (targeting.kind === "devices") await records.deviceDeployments.insertTargets(deployment, targeting.ids);
  await insertPlan(records, system, deployment, planned);
  return deployment.id;
}

/** The record of a new deployment before its targets are counted. */
export function draftedDeployment(
  system: Sources,
  { retries = 0, silentAfterMs, updateControlMap }: Rollout,
  { targeting, ...draft }: Draft,
): Omit<DeploymentRecord, "sequence" | "target_count" | "initial_device_count"> {
  return {
    kind: "software",
    configuration_json: null,
    max_devices: null,
    retry_of: null,
    id: system.random.uuid(),
    ...draft,
    all_devices: targeting.kind === "all" ? 1 : 0,
    device_count: 0,
    admitted_count: 0,
    status: "pending",
    total_size_bytes: 0,
    created_ms: system.clock.now(),
    finished_ms: null,
    retries,
    silent_after_ms: silentAfterMs ?? null,
    open_to_all_ms: null,
    paused_ms: null,
    pause_reason: null,
    dynamic: targeting.kind === "filter" ? 1 : 0,
    group_name: targeting.kind === "devices" ? (targeting.group ?? null) : null,
    filter_json: targeting.kind === "filter" ? JSON.stringify(targeting.filter) : null,
    update_control_map_json: updateControlMap === undefined ? null : JSON.stringify(updateControlMap),
    pending_end: null,
  };
}

/** Inserts the counters and phases of a deployment whose targets are inserted. */
export async function insertPlan(
  records: Records,
  { random }: Pick<Sources, "random">,
  { id, target_count, max_devices }: Pick<DeploymentRecord, "id" | "target_count" | "max_devices">,
  planned: readonly PlannedPhase[],
): Promise<void> {
  await records.counters.add(id, [["pending", target_count]]);
  if (planned.length > 0 || max_devices !== null) await records.places.insert(id);
  await records.phases.insert(
    planned.map((phase, number) => ({
      deployment_id: id,
      number,
      id: random.uuid(),
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

/** The listed devices, deduplicated and sorted. */
async function acceptedTargets(records: Records, devices: readonly string[]): Promise<readonly string[]> {
  const targets = [...new Set(devices)].sort();
  const accepted = await records.devices.acceptedAmong(targets);
  refuseOthers(targets.filter((id) => !accepted.has(id)));
  return targets;
}

/** @param others Requested ids that belong to no accepted device. @throws DomainError (devices-not-accepted) */
export function refuseOthers(others: readonly string[]): void {
  if (others.length === 0) return;
  throw new DomainError("devices-not-accepted", { ids: others });
}

function digestOf(request: NewDeployment, targeting: Targeting): string {
  const digest = parametersDigest(request);
  if (targeting.kind === "devices") digest.add(targeting.ids);
  return digest.end(targeting.kind);
}

/** The digest that identifies a request for a deployment. Device ids are added sorted, in any number of parts. */
export function parametersDigest(request: NewDeployment): {
  add(deviceIds: readonly string[]): void;
  end(kind: Targeting["kind"]): string;
} {
  const { name, artifactName, forceInstallation = false, filterId } = request;
  const frame = (whom: unknown) => JSON.stringify([name, artifactName, whom, forceInstallation]);
  const [before, after] = frame([]).split(/(?<=\[)(?=\],(?:true|false)\]$)/) as [string, string];
  const digest = runningSha256();
  let first = true;
  digest.add(before);
  return {
    add: (deviceIds) => {
      for (const id of deviceIds) {
        digest.add(`${first ? "" : ","}${JSON.stringify(id)}`);
        first = false;
      }
    },
    end: (kind) => {
      if (kind === "all") return sha256(frame("all"));
      if (kind === "filter") return sha256(frame(["filter", filterId]));
      digest.add(after);
      return digest.end();
    },
  };
}
