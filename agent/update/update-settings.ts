import type { NoexecPrograms } from "../config/settings.ts";
import type { StoringPace } from "../modules/index.ts";

/** Absolute paths of the update engine. */
export interface UpdatePaths {
  /** Journal, provides, work tree and artifact scripts live here. */
  readonly datastore: string;
  /** Deployment logs live here; the datastore unless configured otherwise. */
  readonly logs: string;
  /** Directories of update modules, such as `/usr/share/mender/modules/v3`; the first that has a module wins. */
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
  /** From SIGTERM to SIGKILL, and from SIGKILL to giving up on the process. */
  readonly killGraceMs: number;
  /** Time limit of the machine to reboot after it was asked to. */
  readonly rebootTimeoutMs: number;
  /** Pause before another reboot of the rollback. */
  readonly rollbackRebootPauseMs: number;
  /** Limit of reboots in one rollback. */
  readonly rollbackRebootsMax: number;
  /** How long the new software may fail to reach the server before it is rolled back instead of committed. */
  readonly commitTimeoutMs: number;
  /** What the new software must be able to reach: the server, or at least a local network. */
  readonly commitConnectivity: "server" | "local";
  /** Interval of asking the server, during a download or an install, whether it was aborted; 0: never. */
  readonly abortCheckMs: number;
  /** The most of a stored download that a restart may lose, in bytes and in time. */
  readonly storingPace: StoringPace;
  /** Files, devices and directories that may hold parts of an artifact, besides what its update module names. */
  readonly adaptiveSeeds: readonly string[];
  /** How to treat programs in the datastore if its file system is mounted noexec. */
  readonly noexecPrograms: NoexecPrograms;
  /** Limit of states that one update enters, restarts included, before it is given up as a loop. */
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
  adaptiveSeeds: [],
  noexecPrograms: "fail",
  stateVisitsMax: 28,
};
