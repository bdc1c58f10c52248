import type { DeploymentStatus, DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { Generated } from "kysely";

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
  device_counts: DeviceCountTable;
  auth_sets: AuthSetTable;
  inventory_attributes: InventoryAttributeTable;
  users: UserTable;
  settings: SettingsTable;
  /** Limits that an administrator set. */
  limits: { name: string; value: number };
  sessions: SessionTable;
  artifacts: ArtifactTable;
  artifact_values: ArtifactValueTable;
  artifact_combinations: ArtifactCombinationTable;
  deployments: DeploymentTable;
  deployment_counters: DeploymentCounterTable;
  deployment_phases: DeploymentPhaseTable;
  device_deployments: DeviceDeploymentTable;
  device_deployment_attempts: DeviceDeploymentAttemptTable;
  deployment_logs: DeploymentLogTable;
  server_uptime: ServerUptimeTable;
  saved_filters: SavedFilterTable;
  device_configurations: DeviceConfigurationTable;
  release_notes: ReleaseNotesTable;
  release_tags: ReleaseTagTable;
  events: EventTable;
  /** Groups that are no more, while some devices still say that they are in them. */
  group_ends: { name: string };
}

/** Something that changed. */
export interface EventTable {
  /** The order of the changes. */
  number: Generated<number>;
  kind: string;
  action: "created" | "changed" | "deleted";
  subject: string;
  related: string | null;
  status: string | null;
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
  /** The one static group that it is in. */
  group_name: string | null;
  /** Changes with its tags; `null` while it never had any. */
  tags_etag: string | null;
}

/** How many devices there are of a kind, kept by the database itself. */
export interface DeviceCountTable {
  status: DeviceStatus;
  /** Empty: in no group. */
  group_name: string;
  count: number;
}

export interface SavedFilterTable {
  id: string;
  name: string;
  terms_json: string;
  created_ms: number;
}

export interface DeviceConfigurationTable {
  device_id: string;
  /** What it should be. */
  configured_json: string;
  /** What the device says it is. */
  reported_json: string;
  /** The last deployment that delivered it. */
  deployment_id: string | null;
  updated_ms: number;
  reported_ms: number | null;
}

export interface ReleaseNotesTable {
  release_name: string;
  notes: string;
}

export interface ReleaseTagTable {
  release_name: string;
  tag: string;
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
  /** `system`: only what the server cannot tell from other records. */
  scope: "identity" | "inventory" | "tags" | "monitor" | "system";
  name: string;
  value_json: string;
  description: string | null;
  updated_ms: number;
}

export interface UserTable {
  id: string;
  /** Lower case. */
  email: string;
  role: "admin" | "read-only" | "ci-upload";
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
  /** Of a personal access token; `null`: a login. */
  token_name: string | null;
  last_used_ms: number | null;
}

export interface SettingsTable {
  /** A user's id; empty: of all together. */
  owner: string;
  value_json: string;
  etag: string;
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
  /** How many more attempts a device has after one that failed. */
  retries: number;
  /** How many devices were admitted: a decision about an artifact was made for them. */
  admitted_count: number;
  /** A device that is not heard of for so long has failed; `null`: never. */
  silent_after_ms: number | null;
  /** Since when each target could have its instructions, as last seen; `null`: some have to wait. */
  open_to_all_ms: number | null;
  /** Since when no other device begins; `null`: it is not paused. */
  paused_ms: number | null;
  /** Why it was paused, for people. */
  pause_reason: string | null;
  kind: DeploymentKind;
  /** 1: it targets the devices that match its filter while it is open. */
  dynamic: Flag;
  /** The most devices that are admitted; `null`: no limit. Of dynamic ones. */
  max_devices: number | null;
  /** How many devices it targeted when it was created. */
  initial_device_count: number;
  /** The static group that it was created for. */
  group_name: string | null;
  /** The filter as it was when the deployment was created. */
  filter_json: string | null;
  update_control_map_json: string | null;
  /** What a configuration deployment sets. */
  configuration_json: string | null;
  /**
   * `null`: the deployment is published. Otherwise its targets are still being inserted, and it is invisible: each
   * batch sets this to a new time. 0: the preparation was abandoned and will be deleted.
   */
  preparing_until_ms: number | null;
  /**
   * It is finished, and what follows from that for many devices is not written down for all of them yet: `abort`, what
   * is open ends as aborted; `dismiss`, what was not admitted is removed. `null`: nothing is left to do.
   */
  pending_end: PendingEnd | null;
}

export type PendingEnd = "abort" | "dismiss";

export type DeploymentKind = "software" | "configuration";

/** A part of a roll-out: a number of places, open from a time on. */
export interface DeploymentPhaseTable {
  deployment_id: string;
  /** From 0. */
  number: number;
  id: string;
  /** Percent of the deployment's devices. */
  batch_percent: number;
  /** That share in devices, at creation. */
  places: number;
  /** `null`: from its creation on. Only of the first. */
  start_ms: number | null;
  /** Percent of its places that must succeed before the next phase opens; `null`: any. */
  success_percent: number | null;
  /** Percent of its places that may not fail, or the deployment is paused; `null`: none. */
  error_percent: number | null;
  /** Devices that were admitted in it. */
  device_count: number;
  succeeded: number;
  failed: number;
  /** Ended, but say nothing about the release: noartifact, aborted, decommissioned. */
  excluded: number;
  /** Failures that were acknowledged when the deployment was resumed. */
  tolerated: number;
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
  /** What the device said it has when it got its instructions; `null`: they are not handed out. */
  request_json: string | null;
  /** When the instructions of this attempt were handed out. */
  instructed_ms: number | null;
  /** 1 once a decision about an artifact was made for it: it has taken its place. */
  admitted: Flag;
  /** The phase whose place it took. */
  phase: number | null;
  /**
   * The last sign of life of the device, from when it got its instructions. `null`: it has not got any, or the
   * deployment does not limit silence.
   */
  last_seen_ms: number | null;
}

/** An attempt that failed and was followed by another. The last one is the device deployment itself. */
export interface DeviceDeploymentAttemptTable {
  deployment_id: string;
  device_id: string;
  attempt: number;
  substate: string | null;
  started_ms: number | null;
  finished_ms: number;
}

/** When a server could hear devices, without a break; written only while a deployment limits silence. */
export interface ServerUptimeTable {
  /** Drawn by each process for itself. */
  server: string;
  since_ms: number;
  /** When it last said so. */
  last_ms: number;
}

export interface DeploymentLogTable {
  deployment_id: string;
  device_id: string;
  attempt: number;
  messages_json: string;
  saved_ms: number;
}
