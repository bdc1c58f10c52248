import type { ModuleImagePlan } from "@upkeep/shared/artifact/write";
import { given } from "@upkeep/shared/given";
import {
  type AdaptiveTransfer,
  type DeviceProvides,
  isTerminal,
  type LogMessage,
  type ReportedStatus,
} from "@upkeep/shared/protocol";
import type { Clock } from "@upkeep/shared/system";
import { DomainError, notFound } from "../errors.ts";
import type {
  DeploymentKind,
  DeploymentRecord,
  DeviceDeploymentRecord,
  Records,
  ReportedDeviceDeployment,
  Storage,
} from "../storage/index.ts";
import { configurationPlan, type InstructedArtifact } from "./configurations/configuration-artifact.ts";
import type { Configuration } from "./configurations/configurations.ts";
import { finishAfterCommit } from "./deployment-end/completion.ts";
import { applyPendingEnd } from "./deployment-end/pending-ends.ts";
import { changeStatus, retry } from "./device-deployment/changes.ts";
import { reasonInLog } from "./device-deployment/failure-reason.ts";
import { verdictOnAttempt } from "./device-deployment/lifecycle.ts";
import { deploymentOf, mayHaveWork, type Selection, selectDeployment } from "./selection/selection.ts";
import { failSilent, SILENT_BATCH, type SilenceRules } from "./silence/silence.ts";
import type { Uptime } from "./silence/uptime.ts";
import type { HandedControlMap, UpdateControlMap } from "./update-control.ts";

/** What a device has to install. */
export interface Instructions {
  readonly deploymentId: string;
  readonly artifact: InstructedArtifact;
  /** A software artifact is stored; a configuration artifact is written from {@link DeviceSide.configurationPlan}. */
  readonly kind: DeploymentKind;
  /** The deployment fails silent devices, so the progress of the download counts as a sign of life. */
  readonly limitsSilence: boolean;
  /** Where the device pauses, if it asked and there is such a state. */
  readonly updateControlMap?: HandedControlMap;
}

/** The operations of devices on deployments. The caller has authenticated the device. */
export class DeviceSide {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #uptime: Uptime;
  readonly #unseenDownloadMs: number;

  /** @param unseenDownloadMs How long a download may take that does not pass through this server. */
  constructor(storage: Storage, clock: Clock, uptime: Uptime, unseenDownloadMs = 0) {
    this.#storage = storage;
    this.#clock = clock;
    this.#uptime = uptime;
    this.#unseenDownloadMs = unseenDownloadMs;
  }

  /**
   * The instructions for a device that polls; `undefined` if there is nothing to install.
   * @param options.mayHaveWork As the status of its token tells. Default: unknown.
   * @param options.controlMap The device asks for an update control map.
   * @throws DomainError (conflict) if the provides differ from those that the instructions were computed for.
   */
  async next(
    deviceId: string,
    provides: DeviceProvides,
    options: { readonly mayHaveWork?: boolean; readonly controlMap?: boolean } = {},
  ): Promise<Instructions | undefined> {
    if (options.mayHaveWork === false) return undefined;
    if (!(await this.#storage.read((records) => mayHaveWork(records, deviceId)))) return undefined;
    let selection = await this.#select(deviceId, provides);
    if (selection.kind === "after-the-silent") {
      // More devices may be silent, and any of them may pause the deployment: decide at the next poll.
      if ((await this.#failSilent(selection.deploymentId)) === SILENT_BATCH) return undefined;
      selection = await this.#select(deviceId, provides);
    }
    switch (selection.kind) {
      case "nothing":
      case "after-the-silent":
        return undefined;
      case "conflict":
        throw new DomainError("provides-changed");
      case "instructions":
        return instructions(selection.deployment, selection.artifact, options.controlMap ?? false);
    }
  }

  #select(deviceId: string, provides: DeviceProvides): Promise<Selection> {
    return this.#storage.deviceTransaction(deviceId, async (records) => {
      const now = this.#clock.now();
      await applyPendingEnd(records, deviceId);
      await records.silence.touch(deviceId, now);
      return selectDeployment(records, deviceId, provides, now, this.#silenceRules());
    });
  }

  /** Fails silent devices of the deployment. @returns Their number. */
  #failSilent(deploymentId: string): Promise<number> {
    return this.#storage.transaction(async (records) => {
      const deployment = await records.deployments.find(deploymentId);
      return deployment === undefined ? 0 : failSilent(records, deployment, this.#clock.now(), this.#silenceRules());
    });
  }

  #silenceRules(): SilenceRules {
    return { sinceMs: this.#uptime.sinceMs(), unseenDownloadMs: this.#unseenDownloadMs };
  }

  /**
   * Records the status of a device deployment, durably when it resolves.
   * @param substate Kept until another one arrives, unless it is empty.
   * @param download What the download of the attempt cost.
   * @throws DomainError (not-found) if the device has no such device deployment; (conflict) if it ended with another status.
   */
  async report(
    deviceId: string,
    deploymentId: string,
    status: ReportedStatus,
    substate?: string,
    download?: AdaptiveTransfer,
  ): Promise<void> {
    const refusal = await this.#storage.deviceTransaction(deviceId, async (records) => {
      const now = this.#clock.now();
      const reported = await findReported(records, deviceId, deploymentId);
      if (reported.silence_counts === 1) await records.silence.touch(deviceId, now);
      if (download !== undefined) {
        await records.deviceDownloads.put({ ...download, deploymentId, deviceId, attempt: attemptOf(reported) });
      }
      const verdict = verdictOnAttempt(
        reported,
        { status: reported.deployment_status, retries: reported.retries },
        status,
      );
      switch (verdict.kind) {
        case "same":
          // The answer to the first one may have been lost, and what follows its commit too.
          if (isTerminal(status)) finishAfterCommit(records, deploymentId, now);
          return undefined;
        case "refuse":
          // Thrown after the transaction, which keeps the sign of life.
          return verdict.error;
        case "change":
          await changeStatus(records, reported, status, now, substate);
          return undefined;
        case "retry":
          await retry(records, reported, now, substate);
          return undefined;
      }
    });
    if (refusal !== undefined) throw refusal;
  }

  /** Records a sign of life that is neither a poll nor a report, such as the progress of a download. */
  touch(deviceId: string): Promise<void> {
    return this.#storage.deviceTransaction(deviceId, (records) => records.silence.touch(deviceId, this.#clock.now()));
  }

  /**
   * Where the device pauses in a deployment that it has begun; `undefined`: nowhere.
   * @throws DomainError (not-found) if the device has no such device deployment; (conflict) if it ended.
   */
  async controlMap(deviceId: string, deploymentId: string): Promise<HandedControlMap | undefined> {
    const { map, counted } = await this.#storage.read(async (records) => {
      const found = await records.deviceDeployments.find(deploymentId, deviceId);
      const deviceDeployment = mustHaveBegun(found, "not-found");
      const deployment = await deploymentOf(records, deviceDeployment);
      const isOpen = deviceDeployment.finished_ms === null;
      if (deviceDeployment.status === "aborted" || (isOpen && deployment.pending_end === "abort")) {
        throw new DomainError("deployment-aborted");
      }
      return { map: controlMapOf(deployment), counted: isOpen && deviceDeployment.last_seen_ms !== null };
    });
    // A paused device sends no other request than this one.
    if (counted) await this.touch(deviceId);
    return map;
  }

  /**
   * The plan of the artifact of a configuration deployment.
   * @throws DomainError (not-found) if the device is no target of such a deployment.
   */
  configurationPlan(deviceId: string, deploymentId: string, deviceType: string): Promise<ModuleImagePlan> {
    return this.#storage.read(async (records) => {
      const deployment = await records.deployments.find(deploymentId);
      const target = await records.deviceDeployments.find(deploymentId, deviceId);
      if (deployment === undefined || target === undefined || deployment.configuration_json === null) throw notFound();
      const configuration = JSON.parse(deployment.configuration_json) as Configuration;
      return configurationPlan(deployment.artifact_name, configuration, deviceType);
    });
  }

  /**
   * Saves the log of the device's attempt in place of an earlier one.
   * @throws DomainError (not-found) if the device has no such device deployment.
   */
  saveLog(deviceId: string, deploymentId: string, messages: readonly LogMessage[]): Promise<void> {
    return this.#storage.deviceTransaction(deviceId, async (records) => {
      await records.silence.touch(deviceId, this.#clock.now());
      const found = await records.deviceDeployments.find(deploymentId, deviceId);
      const begun = mustHaveBegun(found, "logged-deployment-not-found");
      const logged = attemptOf(begun);
      const key = { deploymentId, deviceId, attempt: logged };
      await records.logs.put(key, messages, this.#clock.now());
      const reason = reasonInLog(messages);
      if (reason === undefined) return;
      if (logged < begun.attempt) await records.attempts.setReason(key, reason);
      else await records.deviceDeployments.update({ deployment_id: deploymentId, device_id: deviceId }, { reason });
    });
  }
}

/** The attempt that a device tells of after its failure too, when the record is already at the next one. */
function attemptOf({ attempt, request_json }: DeviceDeploymentRecord): number {
  return attempt > 1 && request_json === null ? attempt - 1 : attempt;
}

/** The device deployment as it is once a pending end of its deployment is applied. @throws DomainError (not-found) */
async function findReported(
  records: Records,
  deviceId: string,
  deploymentId: string,
): Promise<ReportedDeviceDeployment> {
  const found = await records.deviceDeployments.reported(deploymentId, deviceId);
  if (found !== undefined && found.pending_end !== null && found.finished_ms === null) {
    await applyPendingEnd(records, deviceId);
    return mustHaveBegun(await records.deviceDeployments.reported(deploymentId, deviceId), "not-found");
  }
  return mustHaveBegun(found, "not-found");
}

/** @throws DomainError if there is no such device deployment, or the device has not polled for it. */
function mustHaveBegun<T extends DeviceDeploymentRecord>(
  found: T | undefined,
  otherwise: "not-found" | "logged-deployment-not-found",
): T {
  if (found === undefined || (found.created_ms === null && found.finished_ms === null))
    throw new DomainError(otherwise);
  return found;
}

function instructions(deployment: DeploymentRecord, artifact: InstructedArtifact, controlled: boolean): Instructions {
  const updateControlMap = controlled ? controlMapOf(deployment) : undefined;
  return {
    deploymentId: deployment.id,
    artifact,
    kind: deployment.kind,
    limitsSilence: deployment.silent_after_ms !== null,
    ...given({ updateControlMap }),
  };
}

function controlMapOf({ id, update_control_map_json }: DeploymentRecord): HandedControlMap | undefined {
  if (update_control_map_json === null) return undefined;
  return { ...(JSON.parse(update_control_map_json) as UpdateControlMap), id };
}
