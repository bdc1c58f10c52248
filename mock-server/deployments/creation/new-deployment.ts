import { PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import { DomainError, invalid } from "../../errors.ts";
import type { NewPhase } from "../phases.ts";
import { SILENT_AFTER_MIN_MS } from "../silence/silence.ts";
import { checkControlMap, type UpdateControlMap } from "../update-control.ts";

/** The rollout of a deployment, independent of its targets. */
export interface Rollout {
  readonly phases?: readonly NewPhase[];
  /** Further attempts of a device after a failed one. Default: 0. */
  readonly retries?: number;
  /** A device that neither polls nor reports for this long has failed. Default: no limit. */
  readonly silentAfterMs?: number;
  /** Where devices pause, for clients that support it. */
  readonly updateControlMap?: UpdateControlMap;
}

/** A request for a deployment to a list of devices, all accepted devices, a static group, or a filter. */
export interface NewDeployment extends Rollout {
  readonly name: string;
  /** The release. */
  readonly artifactName: string;
  readonly devices?: readonly string[];
  readonly allDevices?: boolean;
  /** A static group: the members that are accepted now. */
  readonly group?: string;
  /** Id of a saved filter: the devices that match it while the deployment is open. */
  readonly filterId?: string;
  /** The deployment finishes when this many devices have finished. Only with a filter. Default: no limit. */
  readonly maxDevices?: number;
  /** Install the artifact even if the device has it. */
  readonly forceInstallation?: boolean;
  /** Id of the deployment whose failed devices are listed. */
  readonly retryOf?: string;
}

const RETRIES_MAX = 100;

/** @throws DomainError (invalid) that names every fault. */
export function checkNewDeployment(request: NewDeployment): void {
  const { name, artifactName, devices, allDevices, group, filterId, maxDevices } = request;
  const listed = devices !== undefined && devices.length > 0;
  const faults = [
    lengthFault("name", name, PROTOCOL_LIMITS.deploymentNameMax),
    lengthFault("artifact_name", artifactName, PROTOCOL_LIMITS.textMax),
    devices?.includes("") ? "devices: a device id cannot be blank" : undefined,
    !allDevices && devices === undefined && group === undefined && filterId === undefined
      ? "provide list of devices or set all_devices flag"
      : undefined,
    allDevices && listed ? "list of devices provided together with all_devices flag" : undefined,
    group !== undefined && (allDevices || listed || filterId !== undefined)
      ? "group: a deployment to a group takes neither devices nor a filter"
      : undefined,
    filterId !== undefined && (allDevices || listed)
      ? "filter_id: a deployment to a filter takes no devices"
      : undefined,
    maxDevices !== undefined && filterId === undefined
      ? "max_devices: only a deployment to a filter has it"
      : undefined,
    countFault("max_devices", maxDevices, 1, Number.MAX_SAFE_INTEGER),
    ...rolloutFaults(request),
  ].filter((fault) => fault !== undefined);
  if (faults.length > 0) {
    throw new DomainError("invalid-deployment", { fault: faults.join("; ") });
  }
  if (request.updateControlMap !== undefined) checkControlMap(request.updateControlMap);
}

/** @throws DomainError (invalid) that names every fault. */
export function checkRollout(rollout: Rollout): void {
  const faults = rolloutFaults(rollout).filter((fault) => fault !== undefined);
  if (faults.length > 0) throw invalid(faults.join("; "));
  if (rollout.updateControlMap !== undefined) checkControlMap(rollout.updateControlMap);
}

function rolloutFaults({ retries, silentAfterMs }: Rollout): readonly (string | undefined)[] {
  return [
    countFault("retries", retries, 0, RETRIES_MAX),
    countFault("silent_after", silentAfterMs, 1, Number.MAX_SAFE_INTEGER) ?? silenceFault(silentAfterMs),
  ];
}

function silenceFault(silentAfterMs: number | undefined): string | undefined {
  if (silentAfterMs === undefined || silentAfterMs >= SILENT_AFTER_MIN_MS) return undefined;
  return `silent_after: must be at least ${SILENT_AFTER_MIN_MS / 1000} s, not ${silentAfterMs / 1000} s: a client whose request failed may wait so long before it asks again (RetryPollIntervalSeconds)`;
}

function lengthFault(field: string, value: string, max: number): string | undefined {
  if (value === "") return `${field}: cannot be blank`;
  return value.length > max ? `${field}: the length must be between 1 and ${max}` : undefined;
}

function countFault(field: string, value: number | undefined, min: number, max: number): string | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && value >= min && value <= max)) return undefined;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `between ${min} and ${max}`;
  return `${field}: must be a whole number ${range}, not ${value}`;
}
