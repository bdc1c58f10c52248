import type { ArtifactContent } from "@upkeep/shared/artifact";
import type {
  AdaptiveOffer,
  AdaptiveTransfer,
  DeploymentInstructions,
  DeviceProvides,
  LogMessage,
  ReportedStatus,
} from "@upkeep/shared/protocol";

/**
 * The server's answer to a report. `aborted`: the deployment was aborted or is over (409); `gone`: the server knows of no
 * such deployment for this device (404).
 */
export type ReportAnswer = "accepted" | "aborted" | "gone";

/** An artifact that is being read: from the server (resumed after broken connections), from a file, … */
export interface ArtifactSource {
  /** Bytes in all; `undefined` if unknown. */
  readonly sizeBytes: number | undefined;
  readonly content: ArtifactContent;
  /** Drop the connection, or close the file. May be called after the end. */
  close(): Promise<void>;
}

/** What an adaptive download reads parts of. */
export type RangedName = "artifact" | "index" | "chunks";

/** Reads parts of an artifact, of its index and of its chunks. */
export interface ArtifactRanges {
  /** Bytes of answers so far. */
  readonly fetchedBytes: number;
  /**
   * The bytes from `start` up to `end`. Several calls may be under way; few requests are.
   * @throws AgentError `adaptive-ranges-refused` if the server does not answer with exactly that range; the errors of a
   *   download.
   */
  read(name: RangedName, start: number, end: number): Promise<Uint8Array>;
  /** Ends what is under way. */
  close(): void;
}

export type ReadRanges = (
  instructions: DeploymentInstructions,
  offer: AdaptiveOffer,
  signal?: AbortSignal,
) => Promise<ArtifactRanges>;

/**
 * The server as the update engine uses it; simulations replace it by a model. Every call rejects with an AgentError, whose
 * `retryable` says whether another attempt makes sense. A call makes one attempt (on 401 also a login and a second one);
 * the caller retries.
 */
export interface DeploymentServer {
  /** @param transfer What the download cost, if it was adaptive. */
  report(
    deployment: string,
    status: ReportedStatus,
    signal?: AbortSignal,
    transfer?: AdaptiveTransfer,
  ): Promise<ReportAnswer>;
  /** `accepted` also when the deployment is gone; `refused` when the log is too large for the server. */
  sendLog(deployment: string, messages: readonly LogMessage[], signal?: AbortSignal): Promise<"accepted" | "refused">;
  /** Forget the token and log in: proves that the device reaches its server and is accepted. */
  loginAfresh(signal?: AbortSignal): Promise<void>;
  /**
   * Ask again for the instructions of a deployment that is under way.
   * @returns `undefined` if the server offers nothing, or another deployment.
   */
  instructionsOf(
    deployment: string,
    provides: DeviceProvides,
    signal?: AbortSignal,
  ): Promise<DeploymentInstructions | undefined>;
  /**
   * Start the download that instructions name.
   * @param reachedBytes How far an earlier download came, if most of that will be skipped.
   */
  download(instructions: DeploymentInstructions, signal?: AbortSignal, reachedBytes?: number): Promise<ArtifactSource>;
  /** Reads parts of what instructions offer for an adaptive download. Absent if there are no such downloads. */
  readonly ranges?: ReadRanges | undefined;
}
