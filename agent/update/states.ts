import type { ReportedStatus } from "@upkeep/shared/protocol";

/**
 * The states of an update, daemon's or standalone: one table, walked by `machine.ts`.
 *
 * What a row does, in this order: its report is sent (that of the outcome as the last thing); the journal
 * is written; the Enter scripts run; the state acts (`actions.ts` has one executor a row); the Leave
 * scripts run. What fails goes by `failed`, after the Error scripts. The names are those of the update modules protocol, and of the questions it asks.
 */
export type StateName = keyof typeof STATES;

/** Where a path through the table ends: the update is over, or it waits until `resume` or a person goes on. */
export type Ending = "Idle" | "Waiting";

/** What runs on the device as far as the agent knows: what ran before, the new artifact, or neither for certain. */
export type DeviceSoftware = "old" | "new" | "unknown";

/** Where an outcome leads. */
export interface Step {
  readonly to: string;
  /** What runs on the device from here on. */
  readonly device?: DeviceSoftware;
  /** The Enter scripts have run before and are left out. */
  readonly bare?: true;
}

interface StateReport {
  readonly status: Extract<ReportedStatus, "downloading" | "installing" | "rebooting"> | "outcome";
  /**
   * `once`: tried once, only an abort matters; `prove`: the software that runs now must prove that it can log
   * in and report; `insist`: retried, and kept until it was told.
   */
  readonly effort: "once" | "prove" | "insist";
  /** The status is repeated in intervals while the state acts, so that an abort is noticed then too. */
  readonly repeated?: true;
}

interface StateRow {
  /** For a person who asks what the device is doing. */
  readonly doing: string;
  readonly report?: StateReport;
  /**
   * `must`: written before the state acts, and not acting without it; `try`: written before, but a store
   * that cannot be written must not keep a device from going back; `settle`: with the outcome and the
   * device's provides, in one transaction; `no`: a question, to be asked again.
   */
  readonly journal: "must" | "try" | "settle" | "no";
  /** What runs on the device once the state has begun. */
  readonly device?: DeviceSoftware;
  readonly enter?: string;
  readonly leave?: string;
  readonly error?: string;
  /** Failing scripts do not stop the state (all of them run); they only spoil the way back. */
  readonly lenient?: true;
  /** The Leave scripts run also when the state failed. */
  readonly leaveAlways?: true;
  /** Entered only so often in one update (`rollbackRebootsMax`), and then left by `too-often`. */
  readonly limited?: true;
  readonly next: Readonly<Record<string, Step>>;
  /** The state to go on with when the program starts and finds this one in the journal. */
  readonly restart?: string;
  /** The same for an update by hand, if it is another one: what was to be installed is no longer at hand. */
  readonly restartByHand?: string;
}

export const STATES = {
  Download: {
    doing: "downloading the artifact",
    report: { status: "downloading", effort: "once", repeated: true },
    journal: "must",
    enter: "Download_Enter",
    leave: "Download_Leave",
    error: "Download_Error",
    next: {
      done: { to: "ArtifactInstall" },
      empty: { to: "Cleanup", device: "new" },
      failed: { to: "Cleanup" },
      aborted: { to: "Cleanup" },
      "aborted-within": { to: "Cleanup" },
    },
    restart: "Download",
    restartByHand: "Cleanup",
  },
  ArtifactInstall: {
    doing: "installing the artifact",
    report: { status: "installing", effort: "once", repeated: true },
    journal: "must",
    device: "unknown",
    enter: "ArtifactInstall_Enter",
    leave: "ArtifactInstall_Leave",
    error: "ArtifactInstall_Error",
    next: {
      done: { to: "NeedsArtifactReboot" },
      failed: { to: "SupportsRollback" },
      aborted: { to: "Cleanup" },
      // Something has been changed already.
      "aborted-within": { to: "SupportsRollback" },
    },
    restart: "SupportsRollback",
  },
  NeedsArtifactReboot: {
    doing: "asking the update module whether a reboot is needed",
    journal: "no",
    next: {
      reboot: { to: "ArtifactReboot" },
      "no-reboot": { to: "BeforeArtifactCommit" },
      standalone: { to: "AwaitCommit" },
      failed: { to: "SupportsRollback" },
    },
  },
  AwaitCommit: {
    doing: "waiting for a person to commit or roll back",
    journal: "must",
    next: {
      "no-rollback": { to: "ArtifactCommit" },
      wait: { to: "Waiting" },
      failed: { to: "SupportsRollback" },
    },
    restart: "AwaitCommit",
  },
  ArtifactReboot: {
    doing: "rebooting into the new artifact",
    report: { status: "rebooting", effort: "once" },
    journal: "must",
    enter: "ArtifactReboot_Enter",
    error: "ArtifactReboot_Error",
    next: {
      done: { to: "ArtifactVerifyReboot" },
      failed: { to: "SupportsRollback" },
      aborted: { to: "SupportsRollback" },
    },
    restart: "ArtifactVerifyReboot",
  },
  ArtifactVerifyReboot: {
    doing: "checking that the reboot led to the new artifact",
    journal: "must",
    leave: "ArtifactReboot_Leave",
    error: "ArtifactReboot_Error",
    next: { done: { to: "BeforeArtifactCommit" }, failed: { to: "SupportsRollback" } },
    restart: "SupportsRollback",
  },
  BeforeArtifactCommit: {
    doing: "checking that the server can still be reached",
    report: { status: "installing", effort: "prove" },
    journal: "no",
    next: {
      done: { to: "ArtifactCommit" },
      failed: { to: "SupportsRollback" },
      aborted: { to: "SupportsRollback" },
    },
  },
  ArtifactCommit: {
    doing: "committing the artifact",
    journal: "must",
    enter: "ArtifactCommit_Enter",
    error: "ArtifactCommit_Error",
    next: { done: { to: "AfterArtifactCommit" }, failed: { to: "SupportsRollback" } },
    restart: "SupportsRollback",
  },
  AfterArtifactCommit: {
    doing: "finishing the commit",
    journal: "must",
    leave: "ArtifactCommit_Leave",
    error: "ArtifactCommit_Error",
    next: { done: { to: "Cleanup", device: "new" }, failed: { to: "Cleanup", device: "unknown" } },
    restart: "AfterArtifactCommit",
  },
  SupportsRollback: {
    doing: "asking the update module whether it can roll back",
    journal: "no",
    next: {
      yes: { to: "ArtifactRollback" },
      no: { to: "ArtifactFailure", device: "unknown" },
      failed: { to: "ArtifactFailure", device: "unknown" },
    },
  },
  ArtifactRollback: {
    doing: "rolling back",
    journal: "try",
    device: "unknown",
    enter: "ArtifactRollback_Enter",
    leave: "ArtifactRollback_Leave",
    lenient: true,
    leaveAlways: true,
    next: {
      done: { to: "NeedsRollbackReboot" },
      failed: { to: "ArtifactFailure", device: "unknown" },
    },
    restart: "ArtifactRollback",
  },
  NeedsRollbackReboot: {
    doing: "asking the update module whether the rollback needs a reboot",
    journal: "no",
    next: {
      reboot: { to: "ArtifactRollbackReboot" },
      "no-reboot": { to: "ArtifactFailure", device: "old" },
      failed: { to: "ArtifactFailure", device: "unknown" },
    },
  },
  ArtifactRollbackReboot: {
    doing: "rebooting into what ran before",
    journal: "try",
    enter: "ArtifactRollbackReboot_Enter",
    lenient: true,
    limited: true,
    next: {
      done: { to: "ArtifactVerifyRollbackReboot" },
      failed: { to: "ArtifactVerifyRollbackReboot" },
      "too-often": { to: "ArtifactFailure", device: "unknown" },
    },
    restart: "ArtifactVerifyRollbackReboot",
  },
  ArtifactVerifyRollbackReboot: {
    doing: "checking that the reboot led back to what ran before",
    journal: "try",
    leave: "ArtifactRollbackReboot_Leave",
    error: "ArtifactRollbackReboot_Error",
    lenient: true,
    next: {
      done: { to: "ArtifactFailure", device: "old" },
      failed: { to: "ArtifactRollbackReboot", bare: true },
    },
    restart: "ArtifactVerifyRollbackReboot",
  },
  ArtifactFailure: {
    doing: "tidying up after the failure",
    journal: "try",
    enter: "ArtifactFailure_Enter",
    leave: "ArtifactFailure_Leave",
    lenient: true,
    leaveAlways: true,
    next: { done: { to: "Cleanup" }, failed: { to: "Cleanup", device: "unknown" } },
    restart: "ArtifactFailure",
  },
  Cleanup: {
    doing: "cleaning up",
    journal: "settle",
    next: { done: { to: "Report" }, failed: { to: "Report" } },
    restart: "Cleanup",
  },
  Report: {
    doing: "telling the server how it ended",
    journal: "try",
    report: { status: "outcome", effort: "insist" },
    next: { done: { to: "Idle" }, aborted: { to: "Idle" }, failed: { to: "Waiting" } },
    restart: "Report",
  },
} as const satisfies Record<string, StateRow>;

/** The outcomes that a state's row knows, apart from those that its report and its scripts bring. */
export type OutcomeOf<S extends StateName> = Extract<keyof (typeof STATES)[S]["next"], string>;

/** A row, seen without its own literal types. */
export interface State extends StateRow {
  readonly next: Readonly<Record<string, Step & { readonly to: StateName | Ending }>>;
  readonly restart?: StateName;
  readonly restartByHand?: StateName;
}

export const STATE_NAMES = Object.keys(STATES) as readonly StateName[];

export function stateOf(name: StateName): State {
  // Typed as a whole here: a `to` or `restart` that is no state does not compile.
  const table: Readonly<Record<StateName, State>> = STATES;
  return table[name];
}
