import type { DeploymentStatus, DeviceDeploymentStatus, PlainReason } from "@upkeep/shared/protocol";
import type { Generated } from "kysely";

/**
 * The tables as the code sees them. Portable: text, whole numbers and NULL only.
 * `…_ms` are milliseconds since the Unix epoch, `…_json` is JSON text, flags are 0 or 1.
 */
export interface Schema {
  /** Growing numbers; the row lock makes their order the order of the commits. */
  sequences: { name: string; value: number };
  /** Keys generated at the first start. */
  secrets: { name: string; value: string };
  devices: DeviceTable;
  device_counts: DeviceCountTable;
  auth_sets: AuthSetTable;
  inventory_attributes: InventoryAttributeTable;
  device_texts: DeviceTextTable;
  attribute_names: AttributeNameTable;
  attribute_values: AttributeValueTable;
  users: UserTable;
  settings: SettingsTable;
  /** Limits that an administrator set. */
  limits: { name: string; value: number };
  sessions: SessionTable;
  artifacts: ArtifactTable;
  artifact_values: ArtifactValueTable;
  artifact_combinations: ArtifactCombinationTable;
  artifact_indexes: ArtifactIndexTable;
  deployments: DeploymentTable;
  deployment_preparations: DeploymentPreparationTable;
  deployment_counters: DeploymentCounterTable;
  deployment_phases: DeploymentPhaseTable;
  device_deployments: DeviceDeploymentTable;
  device_deployment_attempts: DeviceDeploymentAttemptTable;
  device_deployment_states: DeviceDeploymentStateTable;
  device_downloads: DeviceDownloadTable;
  deployment_logs: DeploymentLogTable;
  server_uptime: ServerUptimeTable;
  saved_filters: SavedFilterTable;
  device_configurations: DeviceConfigurationTable;
  release_notes: ReleaseNotesTable;
  release_tags: ReleaseTagTable;
  events: EventTable;
  event_queue: EventQueueTable;
  counter_deltas: CounterDeltaTable;
  deployment_places: DeploymentPlacesTable;
  /** Deleted groups that still have members. */
  group_ends: { name: string };
}

/** A change. */
export interface EventTable {
  /** The order of the changes. */
  number: Generated<number>;
  kind: string;
  action: "created" | "changed" | "deleted";
  subject: string;
  related: string | null;
  status: string | null;
}

/** Changes that have no number yet. Empty in SQLite, whose order of changes is the order of the commits. */
export interface EventQueueTable extends Omit<EventTable, "number"> {
  position: Generated<number>;
}

/** What was counted and is not added to its row yet. Empty in SQLite. */
export interface CounterDeltaTable {
  deployment_id: string;
  counter: string;
  change: number;
}

/** The taken places of a deployment with phases or a maximum of devices. */
export interface DeploymentPlacesTable {
  deployment_id: string;
  in_phases: number;
  in_all: number;
}

export type Flag = 0 | 1;

/** The statuses of keys, and so of devices. */
export const AUTH_STATUSES = ["accepted", "preauthorized", "pending", "rejected"] as const;
export type AuthStatus = (typeof AUTH_STATUSES)[number];
/** `noauth`: the device has no key left. */
export const DEVICE_STATUSES = [...AUTH_STATUSES, "noauth"] as const;
export type DeviceStatus = (typeof DEVICE_STATUSES)[number];

/** The classes of devices. */
export const DEVICE_TIERS = ["standard", "micro", "system"] as const;
export type DeviceTier = (typeof DEVICE_TIERS)[number];

export interface DeviceTable {
  id: string;
  /** SHA-256 of `identity_json`: a device is its identity. */
  identity_sha256: string;
  /** Identity attributes, keys sorted. */
  identity_json: string;
  /** Derived from the auth sets; stored for counting and filtering. */
  status: DeviceStatus;
  /** Of the auth set that its status comes from. */
  tier: DeviceTier;
  created_ms: number;
  updated_ms: number;
  /** The last time it got a token. */
  check_in_ms: number | null;
  /** Its static group. */
  group_name: string | null;
  /** Changes with its tags; `null` if it never had any. */
  tags_etag: string | null;
  /** The last contact of any kind, written in batches; `null`: none since it was recorded. */
  contact_ms: number | null;
  /** When its attributes were last reported or set; `null`: never. */
  attributes_ms: number | null;
}

/** The number of devices by status, tier and group; triggers maintain it. */
export interface DeviceCountTable {
  status: DeviceStatus;
  tier: DeviceTier;
  /** Empty for devices without a group. */
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
  /** The wanted configuration. */
  configured_json: string;
  /** The reported configuration. */
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

/** One key of one device, in one tier. */
export interface AuthSetTable {
  id: string;
  device_id: string;
  /** PEM, canonical. */
  public_key: string;
  tier: DeviceTier;
  /** Unique for a device: SHA-256 of the key, with the tier before it unless that is `standard`. */
  key_and_tier_sha256: string;
  status: AuthStatus;
  /** A claim of its tokens; raising it revokes them. */
  token_generation: number;
  created_ms: number;
}

export interface InventoryAttributeTable {
  device_id: string;
  /** `system`: only attributes that are not derived from other records. */
  scope: "identity" | "inventory" | "tags" | "monitor" | "system";
  name: string;
  value_json: string;
  description: string | null;
  updated_ms: number;
}

/** What a device is found by: derived from `inventory_attributes`, by device-texts.ts. */
export interface DeviceTextTable {
  device_id: string;
  text: string;
}

/** The attributes that the index knows. */
export interface AttributeNameTable {
  id: number;
  scope: InventoryAttributeTable["scope"];
  name: string;
}

/** The index over the values of attributes: derived from `inventory_attributes`, by attribute-keys.ts. */
export interface AttributeValueTable {
  name_id: number;
  key: string;
  device_id: string;
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
  /** The id of a user; empty for the shared settings. */
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
  /** Set if it is deleted; device deployments still refer to the row. */
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

/**
 * The index of an artifact for adaptive downloads: blobs that exist only together with the row. Without blobs, the
 * artifact has no index and gets none.
 */
export interface ArtifactIndexTable {
  artifact_id: string;
  index_blob: string | null;
  index_bytes: number | null;
  index_sha256: string | null;
  chunks_blob: string | null;
  chunks_bytes: number | null;
  /** Why there is no index. */
  fault: string | null;
}

export interface DeploymentTable {
  id: string;
  /** The order of deployments, independent of clocks. */
  sequence: number;
  name: string;
  artifact_name: string;
  force_installation: Flag;
  all_devices: Flag;
  /** The number of targets. */
  target_count: number;
  /** The number of targets that have polled for it. */
  device_count: number;
  status: DeploymentStatus;
  /** Total size of the artifacts in all instructions. */
  total_size_bytes: number;
  created_ms: number;
  finished_ms: number | null;
  /** SHA-256 of the request; `null` once it is finished, because it may be created again. */
  active_sha256: string | null;
  /** Further attempts of a device after a failed one. */
  retries: number;
  /** The number of admitted devices: the choice of an artifact is made for them. */
  admitted_count: number;
  /** A device that is silent for longer has failed; `null`: no limit. */
  silent_after_ms: number | null;
  /** Since when it is open to every target; `null` while some must wait for a phase or a resume. */
  open_to_all_ms: number | null;
  /** Set while it is paused: no further device begins. */
  paused_ms: number | null;
  /** Why it was paused, for users. */
  pause_reason: string | null;
  kind: DeploymentKind;
  /** 1: it targets the devices that match its filter, as long as it is open. */
  dynamic: Flag;
  /** The maximum number of admitted devices of a dynamic deployment; `null`: no limit. */
  max_devices: number | null;
  /** The number of targets at creation. */
  initial_device_count: number;
  /** The static group that it was created for. */
  group_name: string | null;
  /** The filter as it was when the deployment was created. */
  filter_json: string | null;
  update_control_map_json: string | null;
  /** The configuration that a configuration deployment delivers. */
  configuration_json: string | null;
  /**
   * The end of a finished deployment that is not applied to all device deployments yet: `abort` ends open ones as
   * `aborted`, `dismiss` removes targets that were not admitted.
   */
  pending_end: PendingEnd | null;
  /** The deployment whose failed devices are its targets. */
  retry_of: string | null;
}

/** A deployment to many devices whose targets are being inserted. */
export interface DeploymentPreparationTable {
  /** Of the deployment that will be inserted. */
  deployment_id: string;
  /** Reserved for that deployment. */
  sequence: number;
  artifact_name: string;
  /** SHA-256 of the request; `null` if it is not known yet, or if the preparation was abandoned. */
  active_sha256: string | null;
  /** The number of targets inserted so far. */
  target_count: number;
  /** The number of batches inserted so far: it tells whether the process is alive. */
  batches: number;
  /** 1: its targets will be deleted. */
  abandoned: Flag;
}

export type PendingEnd = "abort" | "dismiss";

export type DeploymentKind = "software" | "configuration";

/** A phase of a rollout. */
export interface DeploymentPhaseTable {
  deployment_id: string;
  /** From 0. */
  number: number;
  id: string;
  /** Percent of the deployment's devices. */
  batch_percent: number;
  /** The same in devices, at creation. */
  places: number;
  /** `null` in a first phase that begins at once. */
  start_ms: number | null;
  /** Percent of its places that must succeed before the next phase opens; `null`: no threshold. */
  success_percent: number | null;
  /** The percentage of failed places at which the deployment is paused; `null`: no threshold. */
  error_percent: number | null;
  /** The number of devices admitted in it. */
  device_count: number;
  succeeded: number;
  failed: number;
  /** Ended without a verdict on the release: noartifact, aborted, decommissioned. */
  excluded: number;
  /** Failures acknowledged by a resume. */
  tolerated: number;
}

/** The number of device deployments by status; no row means 0. */
export interface DeploymentCounterTable {
  deployment_id: string;
  status: DeviceDeploymentStatus;
  count: number;
}

/**
 * One row per target of a deployment. The row also records that the device finished the deployment, so it stays when
 * the history or the device is deleted.
 */
export interface DeviceDeploymentTable {
  deployment_id: string;
  device_id: string;
  /** Of the deployment. */
  sequence: number;
  status: DeviceDeploymentStatus;
  substate: string | null;
  /** The first poll of the device for it; `null` before. */
  created_ms: number | null;
  /** The first status but `pending`. */
  started_ms: number | null;
  finished_ms: number | null;
  /** When it was deleted from the device's history. */
  hidden_ms: number | null;
  /** The number of the current attempt, from 1. */
  attempt: number;
  /** Pinned by the first instructions. */
  artifact_id: string | null;
  /** The provides that the instructions were computed for; `null` without instructions. */
  request_json: string | null;
  /** When this attempt got its instructions. */
  instructed_ms: number | null;
  /** 1 once it has a slot: the choice of an artifact is made. */
  admitted: Flag;
  /** The phase of its slot. */
  phase: number | null;
  /**
   * The last sign of life of the device since its instructions. `null` without instructions, or if the deployment does
   * not limit silence.
   */
  last_seen_ms: number | null;
  /**
   * Why the current attempt failed: the last error in its log, else its substate. Before the failure, the log alone.
   */
  reason: string | null;
  /** The number of its changes of status. */
  state_count: Generated<number>;
}

/** What a download cost, as the device reported it. */
export interface DeviceDownloadTable {
  deployment_id: string;
  device_id: string;
  /** The number of the attempt, from 1. */
  attempt: number;
  /** Size of the artifact. */
  needed_bytes: number;
  reused_bytes: number;
  fetched_bytes: number;
  /** Why the artifact was downloaded whole; `null`: it was not. */
  plain_reason: PlainReason | null;
}

/** A change of the status of a device deployment. */
export interface DeviceDeploymentStateTable {
  deployment_id: string;
  device_id: string;
  /** From 1. */
  number: number;
  at_ms: number;
  /** The number of the attempt, from 1. */
  attempt: number;
  from_status: DeviceDeploymentStatus;
  status: DeviceDeploymentStatus;
  substate: string | null;
}

/** A failed attempt before the current one, which is the device deployment itself. */
export interface DeviceDeploymentAttemptTable {
  deployment_id: string;
  device_id: string;
  attempt: number;
  substate: string | null;
  started_ms: number | null;
  finished_ms: number;
  /** As of the device deployment. */
  reason: string | null;
}

/** The uptime of a server without a break; written only while a deployment limits silence. */
export interface ServerUptimeTable {
  /** A random id of the process. */
  server: string;
  since_ms: number;
  /** The last update. */
  last_ms: number;
}

export interface DeploymentLogTable {
  deployment_id: string;
  device_id: string;
  attempt: number;
  messages_json: string;
  saved_ms: number;
}
