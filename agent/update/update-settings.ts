import type { NoexecPrograms } from "../config/settings.ts";
import type { StoringPace } from "../modules/index.ts";

/** Where the update engine finds and keeps things. Absolute paths. */
export interface UpdatePaths {
  /** Journal, provides, work tree and artifact scripts live here. */
  readonly datastore: string;
  /** Deployment logs live here; the datastore unless configured otherwise. */
  readonly logs: string;
  /** Where update modules are, such as `/usr/share/mender/modules/v3`; of several directories the first that has it. */
  readonly modules: string | readonly string[];
  /** Directory of the root file system's state scripts, such as `/etc/mender/scripts`. */
  readonly rootfsScripts: string;
}

/** Limits and keys of the update engine. Times are milliseconds. */
export interface UpdateSettings {
  /** PEM public keys. If there are any, an artifact must be signed by one of them. */
  readonly verifyKeys: readonly string[];
  /** For each call of an update module. */
  readonly moduleTimeoutMs: number;
  /** For each run of a state script. */
  readonly scriptTimeoutMs: number;
  /** How long one state script may keep asking to be retried (exit code 21). */
  readonly scriptRetryTimeoutMs: number;
  /** Pause before a state script that asked for it is run again. */
  readonly scriptRetryIntervalMs: number;
  /** From SIGTERM to SIGKILL, and from SIGKILL to giving up on a process. */
  readonly killGraceMs: number;
  /** How long the machine may take to end this program after it was asked to reboot. */
  readonly rebootTimeoutMs: number;
  /** Pause before the rollback's reboot is tried again. */
  readonly rollbackRebootPauseMs: number;
  /** How often the rollback may reboot before it is given up. */
  readonly rollbackRebootsMax: number;
  /** How long the new software may try to reach the server, before it is committed, until it is rolled back. */
  readonly commitTimeoutMs: number;
  /** What the new software must be able to reach: the server, or at least a local network. */
  readonly commitConnectivity: "server" | "local";
  /** How often, during a download or an install, the server is asked whether it was aborted; 0: not at all. */
  readonly abortCheckMs: number;
  /** How much of a download that is stored a restart may cost, in bytes and in time. */
  readonly storingPace: StoringPace;
  /** What becomes of programs in the datastore if its file system is mounted noexec. */
  readonly noexecPrograms: NoexecPrograms;
  /** How many states one update may enter, restarts included, before it is given up as a loop. */
  readonly stateVisitsMax: number;
}

/** As the reference client has them (`ModuleTimeoutSeconds`, `StateScript…Seconds` and its fixed limits). */
export const DEFAULT_UPDATE_SETTINGS: UpdateSettings = {
  verifyKeys: [],
  moduleTimeoutMs: 4 * 3600_000,
  scriptTimeoutMs: 3600_000,
  scriptRetryTimeoutMs: 1800_000,
  scriptRetryIntervalMs: 60_000,
  killGraceMs: 10_000,
  rebootTimeoutMs: 600_000,
  rollbackRebootPauseMs: 30_000,
  rollbackRebootsMax: 5,
  commitTimeoutMs: 2160_000,
  commitConnectivity: "server",
  abortCheckMs: 60_000,
  storingPace: { bytes: 4 * 1024 * 1024, ms: 30_000 },
  noexecPrograms: "fail",
  stateVisitsMax: 28,
};
