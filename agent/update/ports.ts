import type { DeploymentInstructions, LogMessage, ReportedStatus } from "@upkeep/shared/protocol";

/**
 * What the server makes of a report.
 * `accepted`: it has it; `aborted`: the deployment was aborted or is over (409); `gone`: it knows of no
 * such deployment for this device (404).
 */
export type ReportAnswer = "accepted" | "aborted" | "gone";

/** A download that goes on after broken connections, as one stream of bytes. */
export interface ArtifactSource {
  /** Bytes in all; `undefined` when the server does not tell. */
  readonly sizeBytes: number | undefined;
  readonly content: AsyncIterable<Uint8Array>;
  /** Drop the connection. Harmless after the end. */
  close(): Promise<void>;
}

/**
 * The server as the update engine sees it. Implemented by `agent/server/` (and by a model in simulations).
 * Every call rejects with an AgentError, whose `retryable` says whether trying again makes sense; a call
 * tries once (the log in again on 401 included), the retries are the caller's.
 */
export interface DeploymentServer {
  report(deployment: string, status: ReportedStatus, signal?: AbortSignal): Promise<ReportAnswer>;
  /** `accepted` also when the server wants no log (it is too large for it, or the deployment is gone). */
  sendLog(deployment: string, messages: readonly LogMessage[], signal?: AbortSignal): Promise<"accepted" | "refused">;
  /** Forget the token and log in again: proves that the device can still reach and convince its server. */
  loginAfresh(signal?: AbortSignal): Promise<void>;
  /** Start the download that instructions name. */
  download(instructions: DeploymentInstructions, signal?: AbortSignal): Promise<ArtifactSource>;
}
