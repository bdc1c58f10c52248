import { PROTOCOL_LIMITS } from "@upkeep/shared/protocol";
import { DomainError, invalid } from "../../errors.ts";
import type { ConfigurationRecord, Records, Storage } from "../../storage/index.ts";
import { insertDeployment, type Sources } from "../creation/creation.ts";
import { checkRollout, type Rollout } from "../creation/new-deployment.ts";

/** Settings of a device, by name. */
export type Configuration = Readonly<Record<string, string>>;

/** The wanted and the reported configuration of a device. */
export interface DeviceConfiguration {
  readonly deviceId: string;
  readonly configured: Configuration;
  readonly reported: Configuration;
  /** The last deployment that delivers it. */
  readonly deploymentId?: string;
  readonly updatedMs?: number;
  readonly reportedMs?: number;
}

const KEYS_MAX = 100;
const TEXT_MAX = PROTOCOL_LIMITS.textMax;

/** Configurations of devices, and the deployments that deliver them. */
export class Configurations {
  readonly #storage: Storage;
  readonly #system: Sources;

  constructor(storage: Storage, system: Sources) {
    this.#storage = storage;
    this.#system = system;
  }

  /** Empty for a device that was never configured. @throws DomainError (not-found) */
  get(deviceId: string): Promise<DeviceConfiguration> {
    return this.#storage.read(async (records) => present(deviceId, await find(records, deviceId)));
  }

  /** Replaces the wanted configuration. {@link deploy} delivers it. @throws DomainError */
  configure(deviceId: string, configuration: Configuration): Promise<void> {
    return this.#put(deviceId, () => ({
      configured_json: checked(configuration),
      updated_ms: this.#system.clock.now(),
    }));
  }

  /** Replaces the reported configuration. @throws DomainError */
  report(deviceId: string, configuration: Configuration): Promise<void> {
    return this.#put(deviceId, () => ({
      reported_json: checked(configuration),
      reported_ms: this.#system.clock.now(),
    }));
  }

  async #put(deviceId: string, change: () => Partial<ConfigurationRecord>): Promise<void> {
    const changed = change();
    await this.#storage.deviceTransaction(deviceId, async (records) => {
      const record = (await find(records, deviceId)) ?? nothing(deviceId, this.#system.clock.now());
      await records.configurations.put({ ...record, ...changed });
    });
  }

  /**
   * Creates a deployment that delivers the wanted configuration.
   * @returns The id of the deployment.
   * @throws DomainError (not-found); (unprocessable) if the device is not accepted; (invalid)
   */
  async deploy(deviceId: string, rollout: Pick<Rollout, "retries" | "updateControlMap"> = {}): Promise<string> {
    checkRollout(rollout);
    return this.#storage.transaction(async (records) => {
      const record = (await find(records, deviceId)) ?? nothing(deviceId, this.#system.clock.now());
      if (!(await records.devices.acceptedAmong([deviceId])).has(deviceId)) {
        throw new DomainError("device-not-accepted");
      }
      const id = this.#system.random.uuid();
      const name = `configuration_${id}`;
      await insertDeployment(records, this.#system, rollout, {
        id,
        kind: "configuration",
        name,
        artifact_name: name,
        force_installation: 1,
        active_sha256: null,
        configuration_json: record.configured_json,
        targeting: { kind: "devices", ids: [deviceId] },
      });
      await records.configurations.put({ ...record, deployment_id: id });
      return id;
    });
  }
}

async function find(records: Records, deviceId: string): Promise<ConfigurationRecord | undefined> {
  if ((await records.devices.find(deviceId)) === undefined) throw new DomainError("device-not-found");
  return records.configurations.find(deviceId);
}

function nothing(deviceId: string, nowMs: number): ConfigurationRecord {
  return {
    device_id: deviceId,
    configured_json: "{}",
    reported_json: "{}",
    deployment_id: null,
    updated_ms: nowMs,
    reported_ms: null,
  };
}

/** The configuration as JSON. @throws DomainError (invalid) */
function checked(configuration: Configuration): string {
  const entries = Object.entries(configuration);
  if (entries.length > KEYS_MAX) throw invalid(`a configuration has at most ${KEYS_MAX} keys, not ${entries.length}`);
  for (const [key, value] of entries) {
    if (key === "" || key.length > TEXT_MAX)
      throw invalid(`a key must have 1 to ${TEXT_MAX} characters, not ${key.length}`);
    if (value.length > TEXT_MAX) throw invalid(`${key.slice(0, 60)}: must have at most ${TEXT_MAX} characters`);
  }
  return JSON.stringify(configuration);
}

function present(deviceId: string, record: ConfigurationRecord | undefined): DeviceConfiguration {
  if (record === undefined) return { deviceId, configured: {}, reported: {} };
  return {
    deviceId,
    configured: JSON.parse(record.configured_json) as Configuration,
    reported: JSON.parse(record.reported_json) as Configuration,
    ...(record.deployment_id === null ? {} : { deploymentId: record.deployment_id }),
    updatedMs: record.updated_ms,
    ...(record.reported_ms === null ? {} : { reportedMs: record.reported_ms }),
  };
}
