import { DEVICE_DEPLOYMENT_STATUSES, REPORTED_STATUSES } from "@upkeep/shared/protocol";
import { STATES, type StateName, stateOf } from "upkeep";
import * as z from "zod";

/** The states of an update, by the agent's names. */
export const AGENT_STATES = Object.keys(STATES) as readonly StateName[];

export const AgentState = z.enum(AGENT_STATES, { error: `a state of an update: ${AGENT_STATES.join(", ")}` });

export const DeviceStatus = z.enum(DEVICE_DEPLOYMENT_STATUSES, {
  error: `a status of a device deployment: ${DEVICE_DEPLOYMENT_STATUSES.join(", ")}`,
});

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

export const ModuleCall = z.enum(MODULE_CALLS, { error: `a call of an update module: ${MODULE_CALLS.join(", ")}` });

/** The sets of state scripts: those of the table of states, and those of the daemon's own states. */
export const SCRIPT_SETS: readonly string[] = [
  "Idle_Enter",
  "Idle_Leave",
  "Sync_Enter",
  "Sync_Leave",
  "Sync_Error",
  ...new Set(
    AGENT_STATES.flatMap((name) => {
      const { enter, leave, error } = stateOf(name);
      return [enter, leave, error].filter((set) => set !== undefined);
    }),
  ),
];

export const ScriptSet = z.enum(SCRIPT_SETS, { error: `a set of state scripts: ${SCRIPT_SETS.join(", ")}` });

/** Name of a script of an artifact, such as `ArtifactInstall_Enter_10_check`. */
const SCRIPT_HINT = "the name of a state script, such as ArtifactInstall_Enter_10_check";
export const ScriptName = z
  .string({ error: SCRIPT_HINT })
  .regex(/^[A-Za-z]+_(Enter|Leave|Error)_\d\d(_\S+)?$/, { error: SCRIPT_HINT });
