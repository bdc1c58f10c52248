import type { ReportedStatus } from "@upkeep/shared/protocol";

/**
 * The table of states that every update walks, a deployment as well as an update by hand (`machine.ts` walks it).
 *
 * A visit of a state does, in this order: send the state's report (`outcome` is sent last instead), write the journal,
 * run the Enter scripts, act (`actions.ts`), run the Leave scripts. A failure runs the Error scripts and leaves by
 * `failed`. States and module calls have the names of the update module protocol.
 */
export type StateName = keyof ActionOutcomes;

/** What the action of each state returns. An action that throws has the outcome `failed`. */
export interface ActionOutcomes {
  readonly Download: "done" | "empty";
  readonly ArtifactInstall: "done";
  readonly NeedsArtifactReboot: "reboot" | "no-reboot" | "standalone";
  readonly AwaitCommit: "no-rollback" | "wait";
  readonly ArtifactReboot: "done";
  readonly ArtifactVerifyReboot: "done";
  readonly BeforeArtifactCommit: "done";
  readonly ArtifactCommit: "done";
  readonly AfterArtifactCommit: "done";
  readonly SupportsRollback: "yes" | "no";
  readonly ArtifactRollback: "done";
  readonly NeedsRollbackReboot: "reboot" | "no-reboot";
  readonly ArtifactRollbackReboot: "done";
  readonly ArtifactVerifyRollbackReboot: "done";
  readonly ArtifactFailure: "done";
  readonly Cleanup: "done";
  readonly Report: "done";
}

/** Every way to leave a state. */
export type Outcome = ActionOutcomes[StateName] | "failed" | "aborted" | "aborted-within" | "too-often";

/** Where a walk ends: the update is over, or it waits for `resume` or for a person's decision. */
export type Ending = "Idle" | "Waiting";

/** What runs on the device, as far as the agent knows: what ran before the update, the new artifact, or neither for certain. */
export type DeviceSoftware = "old" | "new" | "unknown";

/** Where an outcome leads. */
export interface Step {
  readonly to: StateName | Ending;
  /** What runs on the device from here on. */
  readonly device?: DeviceSoftware;
  /** The Enter scripts are skipped, because they have run already. */
  readonly bare?: true;
}

/** A status that is sent before the state acts. */
export interface StatusReport {
  readonly status: Extract<ReportedStatus, "downloading" | "installing" | "rebooting">;
  /** `once`: one attempt, and only an abort counts; `prove`: the running software must log in and report successfully. */
  readonly effort: "once" | "prove";
  /** The status is sent again at intervals while the state acts, to notice an abort. */
  readonly repeated?: true;
}

/** The final status, sent after the state has acted: retried, and kept until the server has answered. */
export interface OutcomeReport {
  readonly status: "outcome";
}

/** A row of the table. */
export type State = Columns & (Unjournalled | Journalled);

/** A question, which is asked again after a restart. */
interface Unjournalled {
  readonly journal: "no";
  readonly restart?: never;
  readonly restartByHand?: never;
}

interface Journalled {
  /**
   * `must`: written before the state acts, which it does not do without it; `try`: written before too, but a full disk
   * must not keep a device from rolling back; `settle`: written with the outcome and the device's provides in one
   * transaction.
   */
  readonly journal: "must" | "try" | "settle";
  /** The state to continue with when a restart finds this one in the journal. */
  readonly restart: StateName;
  /** Overrides `restart` for an update by hand, whose artifact is not available after a restart. */
  readonly restartByHand?: StateName;
}

interface Columns {
  /** Shown to a person who asks what the device is doing. */
  readonly doing: string;
  readonly report?: StatusReport | OutcomeReport;
  /** What runs on the device once the state has begun. */
  readonly device?: DeviceSoftware;
  readonly enter?: string;
  readonly leave?: string;
  readonly error?: string;
  /** A failing script does not end the state: all scripts run, and the rollback counts as uncertain. */
  readonly lenient?: true;
  /** The Leave scripts run also after a failure. */
  readonly leaveAlways?: true;
  /** At most `rollbackRebootsMax` visits in one update, then `too-often`. */
  readonly limited?: true;
  readonly next: Readonly<Partial<Record<Outcome, Step>>>;
}

/** The outcomes that a row's own columns add to those of the action. */
type OutcomesOfColumns<Row> =
  | "failed"
  | (Row extends { report: object } ? "aborted" : never)
  | (Row extends { report: { repeated: true } } ? "aborted-within" : never)
  | (Row extends { limited: true } ? "too-often" : never);

type OutcomesOfRow<Name extends StateName, Row> = ActionOutcomes[Name] | OutcomesOfColumns<Row>;

/** A row that has a step for each outcome that its action and its columns can bring, and for no other. */
export type CompleteRow<Name extends StateName, Row> = State & {
  readonly next: Readonly<Record<OutcomesOfRow<Name, Row>, Step>> &
    Readonly<Partial<Record<Exclude<Outcome, OutcomesOfRow<Name, Row>>, never>>>;
};

type Table = Readonly<Record<StateName, State>>;

/** Checks at compile time that every row is a {@link CompleteRow}. */
function defineStates<const Rows extends Table>(
  rows: Rows & { readonly [Name in StateName]: CompleteRow<Name, Rows[Name]> },
): Table {
  return rows;
}

export const STATES = defineStates({
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
      // The device has been changed already.
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
    report: { status: "outcome" },
    next: { done: { to: "Idle" }, aborted: { to: "Idle" }, failed: { to: "Waiting" } },
    restart: "Report",
  },
});

export const STATE_NAMES = Object.keys(STATES) as readonly StateName[];

export function stateOf(name: StateName): State {
  return STATES[name];
}

/** True for a state that ends the program on purpose: by a reboot. */
export function isReboot(name: StateName): boolean {
  return name === "ArtifactReboot" || name === "ArtifactRollbackReboot";
}

/** Where an update continues after a restart, and whether the interruption is itself the failure of the state. */
export interface Restart {
  readonly to: StateName;
  readonly failed: boolean;
}

/** @param name The state that the journal holds. */
export function restartOf(name: StateName, mode: "deployment" | "standalone"): Restart {
  const { restart, restartByHand, next } = STATES[name];
  const to = (mode === "standalone" ? restartByHand : undefined) ?? restart;
  if (to === undefined) throw new TypeError(`state ${name} is never journalled`);
  return { to, failed: to === next.failed?.to };
}
