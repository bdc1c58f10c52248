import { DEVICE_DEPLOYMENT_STATUSES, REPORTED_STATUSES } from "@upkeep/shared/protocol";
import * as z from "zod";

/** The states of an update by the agent's names. A test compares them with the agent's table. */
export const AGENT_STATES = [
  "Download",
  "ArtifactInstall",
  "NeedsArtifactReboot",
  "AwaitCommit",
  "ArtifactReboot",
  "ArtifactVerifyReboot",
  "BeforeArtifactCommit",
  "ArtifactCommit",
  "AfterArtifactCommit",
  "SupportsRollback",
  "ArtifactRollback",
  "NeedsRollbackReboot",
  "ArtifactRollbackReboot",
  "ArtifactVerifyRollbackReboot",
  "ArtifactFailure",
  "Cleanup",
  "Report",
] as const;
export type AgentStateName = (typeof AGENT_STATES)[number];

export const AgentState = z
  .enum(AGENT_STATES, { error: `a state of an update: ${AGENT_STATES.join(", ")}` })
  .meta({ id: "AgentState" });

export const DeviceStatus = z
  .enum(DEVICE_DEPLOYMENT_STATUSES, {
    error: `a status of a device deployment: ${DEVICE_DEPLOYMENT_STATUSES.join(", ")}`,
  })
  .meta({ id: "DeviceStatus" });

export const ReportedStatusName = z.enum(REPORTED_STATUSES, {
  error: `a status that a device reports: ${REPORTED_STATUSES.join(", ")}`,
});

/** The calls of an update module. */
export const MODULE_CALLS = [
  "ProvidePayloadFileSizes",
  "Download",
  "DownloadWithFileSizes",
  "ArtifactInstall",
  "NeedsArtifactReboot",
  "ArtifactReboot",
  "ArtifactVerifyReboot",
  "ArtifactCommit",
  "SupportsRollback",
  "ArtifactRollback",
  "ArtifactRollbackReboot",
  "ArtifactVerifyRollbackReboot",
  "ArtifactFailure",
  "Cleanup",
] as const;

export const ModuleCall = z
  .enum(MODULE_CALLS, { error: `a call of an update module: ${MODULE_CALLS.join(", ")}` })
  .meta({ id: "ModuleCall" });

/** The sets of state scripts: those of the daemon's own states, then those of an update. A test compares them too. */
export const SCRIPT_SETS = [
  "Idle_Enter",
  "Idle_Leave",
  "Sync_Enter",
  "Sync_Leave",
  "Sync_Error",
  "Download_Enter",
  "Download_Leave",
  "Download_Error",
  "ArtifactInstall_Enter",
  "ArtifactInstall_Leave",
  "ArtifactInstall_Error",
  "ArtifactReboot_Enter",
  "ArtifactReboot_Error",
  "ArtifactReboot_Leave",
  "ArtifactCommit_Enter",
  "ArtifactCommit_Error",
  "ArtifactCommit_Leave",
  "ArtifactRollback_Enter",
  "ArtifactRollback_Leave",
  "ArtifactRollbackReboot_Enter",
  "ArtifactRollbackReboot_Leave",
  "ArtifactRollbackReboot_Error",
  "ArtifactFailure_Enter",
  "ArtifactFailure_Leave",
] as const;

export const ScriptSet = z.enum(SCRIPT_SETS, { error: `a set of state scripts: ${SCRIPT_SETS.join(", ")}` });

/** Name of a script of an artifact, such as `ArtifactInstall_Enter_10_check`. */
const SCRIPT_HINT = "the name of a state script, such as ArtifactInstall_Enter_10_check";
export const ScriptName = z
  .string({ error: SCRIPT_HINT })
  .regex(/^[A-Za-z]+_(Enter|Leave|Error)_\d\d(_\S+)?$/, { error: SCRIPT_HINT });
