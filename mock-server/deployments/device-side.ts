import type { DeviceProvides, LogMessage, ReportedStatus } from "@upkeep/shared/protocol";
import type { Clock } from "@upkeep/shared/system";
import { conflict, notFound } from "../errors.ts";
import type { ArtifactRecord, DeviceDeploymentRecord, Records, Storage } from "../storage/index.ts";
import { changeStatus, tryAgain } from "./changes.ts";
import { verdictOnAttempt } from "./lifecycle.ts";
import { deploymentOf, isTargeted, selectDeployment } from "./selection.ts";

/** What a device is to install. */
export interface Instructions {
  readonly deploymentId: string;
  readonly artifact: ArtifactRecord;
}

/** What devices do with deployments. Whoever calls has made sure that the device is who it says it is. */
export class DeviceSide {
  readonly #storage: Storage;
  readonly #clock: Clock;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /**
   * What the device is to install now; `undefined`: nothing.
   * @throws ServerError (conflict) if it says other things of itself than when it got its instructions.
   */
  async next(deviceId: string, provides: DeviceProvides): Promise<Instructions | undefined> {
    // Most devices ask for nothing most of the time: that costs no transaction.
    if (!(await this.#storage.read((records) => isTargeted(records, deviceId)))) return undefined;
    const selection = await this.#storage.transaction(async (records) => {
      const now = this.#clock.now();
      await records.deviceDeployments.hear(deviceId, now);
      return selectDeployment(records, deviceId, provides, now);
    });
    switch (selection.kind) {
      case "nothing":
        return undefined;
      case "conflict":
        throw conflict("Device provided conflicting request data");
      case "instructions":
        return { deploymentId: selection.deploymentId, artifact: selection.artifact };
    }
  }

  /**
   * The device has got so far. When this resolves, it is known for good.
   * @param substate Kept until another one comes, unless it is empty.
   * @throws ServerError (not-found) if the device has no such device deployment; (conflict) if it ended otherwise.
   */
  report(deviceId: string, deploymentId: string, status: ReportedStatus, substate?: string): Promise<void> {
    return this.#storage.transaction(async (records) => {
      const deviceDeployment = await findBegun(records, deviceId, deploymentId, "Resource not found");
      const now = this.#clock.now();
      await records.deviceDeployments.hear(deviceId, now);
      const deployment = await deploymentOf(records, deviceDeployment);
      const verdict = verdictOnAttempt(deviceDeployment, deployment, status);
      switch (verdict.kind) {
        case "same":
          return;
        case "refuse":
          throw conflict(verdict.message);
        case "change":
          return changeStatus(records, deviceDeployment, status, now, substate);
        case "try-again":
          return tryAgain(records, deviceDeployment, now, substate);
      }
    });
  }

  /**
   * Keep the log of the device's attempt, in place of what it sent of it before.
   * @throws ServerError (not-found) if the device has no such device deployment.
   */
  saveLog(deviceId: string, deploymentId: string, messages: readonly LogMessage[]): Promise<void> {
    return this.#storage.transaction(async (records) => {
      const { attempt, request_json } = await findBegun(records, deviceId, deploymentId, "Deployment not found");
      // A device sends its log after its failure, when the next attempt is already waiting to begin.
      const logged = attempt > 1 && request_json === null ? attempt - 1 : attempt;
      await records.logs.put({ deploymentId, deviceId, attempt: logged }, messages, this.#clock.now());
    });
  }
}

async function findBegun(
  records: Records,
  deviceId: string,
  deploymentId: string,
  otherwise: string,
): Promise<DeviceDeploymentRecord> {
  const found = await records.deviceDeployments.find(deploymentId, deviceId);
  if (found === undefined || (found.created_ms === null && found.finished_ms === null)) throw notFound(otherwise);
  return found;
}
