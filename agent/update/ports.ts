import type { ArtifactContent, ArtifactReading, ReadOptions } from "@upkeep/shared/artifact";
import type { DeploymentInstructions, DeviceProvides, LogMessage, ReportedStatus } from "@upkeep/shared/protocol";

/**
 * What the server makes of a report.
 * `accepted`: it has it; `aborted`: the deployment was aborted or is over (409); `gone`: it knows of no
 * such deployment for this device (404).
 */
export type ReportAnswer = "accepted" | "aborted" | "gone";

/** An artifact on its way: from the server (going on after broken connections), from a file, … */
export interface ArtifactSource {
  /** Bytes in all; `undefined` when nobody tells. */
  readonly sizeBytes: number | undefined;
  readonly content: ArtifactContent;
  /** Drop the connection, close the file. Harmless after the end. */
  close(): Promise<void>;
}

/**
 * The server as the update engine sees it. Implemented by `agent/server/` (and by a model in simulations).
 * Every call rejects with an AgentError, whose `retryable` says whether trying again makes sense; a call
 * tries once (the log in again on 401 included), the retries are the caller's.
 */
export interface DeploymentServer {
  report(deployment: string, status: ReportedStatus, signal?: AbortSignal): Promise<ReportAnswer>;
  /** `accepted` also when the deployment is gone; `refused` when the log is too large for the server. */
  sendLog(deployment: string, messages: readonly LogMessage[], signal?: AbortSignal): Promise<"accepted" | "refused">;
  /** Forget the token and log in again: proves that the device can still reach and convince its server. */
  loginAfresh(signal?: AbortSignal): Promise<void>;
  /**
   * The instructions of a deployment that is under way, asked for again.
   * @returns `undefined` if the server offers nothing, or another deployment.
   */
  instructionsOf(
    deployment: string,
    provides: DeviceProvides,
    signal?: AbortSignal,
  ): Promise<DeploymentInstructions | undefined>;
  /**
   * Start the download that instructions name.
   * @param reachedBytes How far an earlier download of it came, if much of that will be left out.
   */
  download(instructions: DeploymentInstructions, signal?: AbortSignal, reachedBytes?: number): Promise<ArtifactSource>;
}

/**
 * How long to wait before a report is tried again.
 * @param attempt Tries made so far, at least 1.
 * @param retryAfterMs What the server asked for, if it did.
 * @returns Milliseconds; `undefined` to stop trying for now.
 */
export type RetryDelays = (attempt: number, retryAfterMs?: number) => number | undefined;

/** `openArtifact` of `@upkeep/shared/artifact`. */
export type OpenArtifact = (source: ArtifactContent, options?: ReadOptions) => Promise<ArtifactReading>;
