import type { AgentError } from "../errors.ts";
import type { DeviceSoftware, StateName } from "./states.ts";

/** The program is being stopped, or the store cannot be written: `resume()` continues from here. */
export interface Interrupted {
  readonly kind: "interrupted";
  readonly state: StateName;
}

/** A deployment came to its end on the device. */
export interface DeploymentFinished {
  readonly kind: "finished";
  readonly deployment: string;
  readonly status: "success" | "failure";
  readonly device: DeviceSoftware;
  /** Absent when the artifact's header was never read. */
  readonly artifactName: string | undefined;
  /** Why it failed. After a restart only its message is known. */
  readonly failure: string | undefined;
  /**
   * The server's answer to the final status. `aborted`: the deployment was aborted, is over, or is unknown to the server.
   * `pending`: the server has not answered yet; `resume()` sends the same status again, and no other deployment runs
   * before that.
   */
  readonly reported: "accepted" | "aborted" | "pending";
  /** Why the outcome could not be written down, if it is pending for that. */
  readonly unwritten?: string | undefined;
}

export type DeploymentResult = DeploymentFinished | Interrupted;

/** An update that has begun and not come to its end. */
export interface PendingUpdate {
  readonly mode: "deployment" | "standalone";
  /** Of a deployment, its id. */
  readonly deployment: string | undefined;
  readonly artifactName: string | undefined;
  readonly state: StateName;
  /** Its activity, or what it waits for, as a text for a person. */
  readonly whereabouts: string;
}

/** The result of `install`, `resume`, `commit` or `rollback` on the command line. */
export type StandaloneResult =
  /** Stopped where it was asked to; `where` is a text for a person. `failure` if a state failed before. */
  | {
      readonly kind: "stopped";
      readonly artifactName: string;
      readonly where: string;
      readonly rebootNeeded: boolean;
      readonly failure: AgentError | undefined;
    }
  /** Installed; `commit` or `rollback` decides. */
  | { readonly kind: "awaiting-commit"; readonly artifactName: string; readonly rebootNeeded: boolean }
  /** Installed and committed, at once if the update module cannot roll back. */
  | { readonly kind: "committed"; readonly artifactName: string; readonly rebootNeeded: boolean }
  | { readonly kind: "rolled-back"; readonly artifactName: string }
  /** `device`: whether the device runs what it ran before, or something inconsistent. */
  | {
      readonly kind: "failed";
      readonly artifactName: string | undefined;
      readonly device: DeviceSoftware;
      readonly failure: AgentError;
    }
  /** It failed before it was stopped, which was reported then; the remaining states succeeded. */
  | {
      readonly kind: "tidied";
      readonly artifactName: string;
      readonly device: DeviceSoftware;
      readonly failure: string;
    }
  /** Nothing was done: the update cannot be committed or rolled back in its state. It can be resumed. */
  | {
      readonly kind: "wrong-state";
      readonly artifactName: string;
      readonly wish: "commit" | "roll back";
      readonly where: string;
    }
  /** The update module cannot roll back: nothing was changed, the update still waits for `commit`. */
  | { readonly kind: "rollback-unsupported"; readonly artifactName: string }
  /** It ended, but that could not be written down: `resume` does. `failure` says why. */
  | {
      readonly kind: "unfinished";
      readonly artifactName: string | undefined;
      readonly device: DeviceSoftware;
      readonly failure: AgentError;
    }
  /** There is no standalone update to commit or roll back. */
  | { readonly kind: "none-in-progress" }
  | Interrupted;

/** Progress of an update: the states as they are entered, and the bytes of the download. */
export type ProgressEvent =
  | { readonly kind: "state"; readonly state: StateName }
  | { readonly kind: "bytes"; readonly receivedBytes: number; readonly totalBytes: number | undefined };
