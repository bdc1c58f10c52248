import type { DeploymentStatus, DeviceDeploymentStatus } from "@upkeep/shared/protocol";

/**
 * The tables as the code sees them. Portable: text, whole numbers and NULL only.
 * `…_ms` are milliseconds since the Unix epoch, `…_json` is JSON text, flags are 0 or 1.
 */
export interface Schema {
  /** Numbers that only grow; the row's lock also puts those who draw one in the order of their commits. */
  sequences: { name: string; value: number };
  /** Keys that were made at the first start. */
  secrets: { name: string; value: string };
  devices: DeviceTable;
  auth_sets: AuthSetTable;
  inventory_attributes: InventoryAttributeTable;
  users: UserTable;
  sessions: SessionTable;
  artifacts: ArtifactTable;
  artifact_values: ArtifactValueTable;
  artifact_combinations: ArtifactCombinationTable;
  deployments: DeploymentTable;
  deployment_counters: DeploymentCounterTable;
  device_deployments: DeviceDeploymentTable;
  deployment_logs: DeploymentLogTable;
}

export type Flag = 0 | 1;

/** What an administrator, or the device's presence in a list, made of a device or of one of its keys. */
export const AUTH_STATUSES = ["accepted", "preauthorized", "pending", "rejected"] as const;
export type AuthStatus = (typeof AUTH_STATUSES)[number];
/** `noauth`: the device has no key left. */
export const DEVICE_STATUSES = [...AUTH_STATUSES, "noauth"] as const;
export type DeviceStatus = (typeof DEVICE_STATUSES)[number];

export interface DeviceTable {
  id: string;
  /** SHA-256 of `identity_json`: a device is its identity. */
  identity_sha256: string;
  /** Identity attributes, keys sorted. */
  identity_json: string;
  /** Follows from the auth sets; kept so that devices can be counted and chosen by it. */
  status: DeviceStatus;
  created_ms: number;
  updated_ms: number;
  /** When it last got a token. */
  check_in_ms: number | null;
}

/** One key of one device. */
export interface AuthSetTable {
  id: string;
  device_id: string;
  /** PEM, as our own serialiser writes it. */
  public_key: string;
  public_key_sha256: string;
  status: AuthStatus;
  /** Tokens carry it; raised when they are revoked. */
  token_generation: number;
  created_ms: number;
}

export interface InventoryAttributeTable {
  device_id: string;
  scope: "identity" | "inventory";
  name: string;
  value_json: string;
  description: string | null;
  updated_ms: number;
}

export interface UserTable {
  id: string;
  /** Lower case. */
  email: string;
  password_hash: string;
  created_ms: number;
  updated_ms: number;
}

export interface SessionTable {
  /** `jti` of the token. */
  id: string;
  user_id: string;
  created_ms: number;
  /** `null`: never. */
  expires_ms: number | null;
}

export interface ArtifactTable {
  id: string;
  name: string;
  description: string;
  format_version: number;
  signed: Flag;
  size_bytes: number;
  sha256: string;
  device_types_json: string;
  depends_json: string;
  provides_json: string;
  clears_provides_json: string;
  payloads_json: string;
  modified_ms: number;
  /** Set: deleted, and kept for the device deployments that had it. */
  removed_ms: number | null;
}

/** One row for each device type and each payload type, so that artifacts are found by them. */
export interface ArtifactValueTable {
  artifact_id: string;
  kind: "device_type" | "payload_type";
  value: string;
}

/** One row for each combination of depends values: no two artifacts of a name may share one. */
export interface ArtifactCombinationTable {
  artifact_name: string;
  /** SHA-256 of the combination, keys sorted. */
  combination_sha256: string;
  artifact_id: string;
}

export interface DeploymentTable {
  id: string;
  /** The order of deployments. Time is for people. */
  sequence: number;
  name: string;
  artifact_name: string;
  force_installation: Flag;
  all_devices: Flag;
  /** How many devices it targets. */
  target_count: number;
  /** How many of them have asked for it. */
  device_count: number;
  status: DeploymentStatus;
  /** Bytes of the artifacts that were handed out. */
  total_size_bytes: number;
  created_ms: number;
  finished_ms: number | null;
  /** SHA-256 of what it was asked for; `null` once it is finished, when it may be asked for again. */
  active_sha256: string | null;
}

/** How many device deployments of a deployment have a status; no row: none. */
export interface DeploymentCounterTable {
  deployment_id: string;
  status: DeviceDeploymentStatus;
  count: number;
}

/**
 * One row for each device that a deployment targets. The row is also the mark that the device finished
 * the deployment: it stays when the history is deleted and when the device is gone.
 */
export interface DeviceDeploymentTable {
  deployment_id: string;
  device_id: string;
  /** Of the deployment. */
  sequence: number;
  status: DeviceDeploymentStatus;
  substate: string | null;
  /** When the device first asked; `null`: it has not. */
  created_ms: number | null;
  /** When it first was anything but pending. */
  started_ms: number | null;
  finished_ms: number | null;
  /** When it was deleted from the device's history. */
  hidden_ms: number | null;
  /** Which attempt this is, from 1. */
  attempt: number;
  /** Pinned at the first hand-out. */
  artifact_id: string | null;
  /** What the device said it has when it got its instructions. */
  request_json: string | null;
}

export interface DeploymentLogTable {
  deployment_id: string;
  device_id: string;
  attempt: number;
  messages_json: string;
  saved_ms: number;
}
