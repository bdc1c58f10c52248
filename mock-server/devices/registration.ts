import type { Clock, Random } from "@upkeep/shared/system";
import { sha256 } from "../digest.ts";
import type {
  AttributeRecord,
  AuthSetRecord,
  AuthStatus,
  DeviceRecord,
  DeviceTier,
  Records,
} from "../storage/index.ts";
import { keepable, keepableText } from "../texts.ts";
import type { Identity, JsonValue } from "./identity.ts";
import { nameFault } from "./inventory-report.ts";

interface Sources {
  readonly clock: Clock;
  readonly random: Random;
}

/** Registers a new device, with its identity as attributes. */
export async function registerDevice(records: Records, system: Sources, identity: Identity): Promise<DeviceRecord> {
  const now = system.clock.now();
  const device: DeviceRecord = {
    id: system.random.uuid(),
    identity_sha256: sha256(identity.json),
    identity_json: identity.json,
    status: "noauth",
    tier: "standard",
    created_ms: now,
    updated_ms: now,
    check_in_ms: null,
    contact_ms: null,
    attributes_ms: null,
    group_name: null,
    tags_etag: null,
  };
  await records.devices.insert(device);
  await records.deviceTexts.put(device.id, []);
  await records.inventory.put(identityAttributesOf(device, identity));
  return device;
}

/** The identity attributes that filters can use; the device's record has the complete identity. */
function identityAttributesOf({ id, created_ms }: DeviceRecord, { attributes }: Identity): AttributeRecord[] {
  const byName = new Map(
    attributes
      .map(([name, value]) => [keepableText(name), keepable(attributeValue(value))] as const)
      // `identity/status` is an attribute of the server.
      .filter(([name]) => name !== "status" && nameFault(name) === undefined),
  );
  return [...byName].map(([name, value]) => ({
    device_id: id,
    scope: "identity",
    name,
    value_json: JSON.stringify(value),
    description: null,
    updated_ms: created_ms,
  }));
}

/** What makes an auth set of a device another one. */
export interface Credentials {
  /** PEM, canonical. */
  readonly publicKey: string;
  readonly tier: DeviceTier;
}

export function hasCredentials(authSet: AuthSetRecord, { publicKey, tier }: Credentials): boolean {
  return authSet.public_key === publicKey && authSet.tier === tier;
}

/** Registers a key of a device. The caller updates the status of the device. */
export async function registerAuthSet(
  records: Records,
  system: Sources,
  deviceId: string,
  { publicKey, tier }: Credentials,
  status: AuthStatus,
): Promise<AuthSetRecord> {
  const authSet: AuthSetRecord = {
    id: system.random.uuid(),
    device_id: deviceId,
    public_key: publicKey,
    tier,
    key_and_tier_sha256: sha256(tier === "standard" ? publicKey : `${tier}\n${publicKey}`),
    status,
    token_generation: 1,
    created_ms: system.clock.now(),
  };
  await records.authSets.insert(authSet);
  return authSet;
}

/** Attributes are texts, numbers, or lists of either; any other value becomes its JSON text. */
function attributeValue(value: JsonValue): JsonValue {
  const plain = Array.isArray(value)
    ? value.every((item) => typeof item === "string") || value.every((item) => typeof item === "number")
    : typeof value === "string" || typeof value === "number";
  return plain ? value : JSON.stringify(value);
}
