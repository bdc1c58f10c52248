import type { Logger } from "@upkeep/shared/logging";
import type { DeploymentInstructions, PlainReason } from "@upkeep/shared/protocol";
import type { System } from "@upkeep/shared/system";
import type { openAdaptively } from "../adaptive/index.ts";
import { AgentError } from "../errors.ts";
import { findModule, UpdateModule, workTreePath } from "../modules/index.ts";
import { StateScripts } from "../scripts/index.ts";
import type { DeploymentServer } from "../server/deployment-server.ts";
import type { OpenedArtifact } from "./artifact.ts";
import type { DeploymentLog } from "./deployment-log.ts";
import type { JournalRecord } from "./journal.ts";
import type { OpenArtifact, RetryDelays } from "./ports.ts";
import type { ProgressEvent } from "./results.ts";
import type { StateName } from "./states.ts";
import type { Store } from "./store.ts";
import type { UpdatePaths, UpdateSettings } from "./update-settings.ts";

/** The dependencies of the update engine. */
export interface EngineOptions {
  readonly system: Pick<System, "clock" | "timers" | "files" | "processes" | "power">;
  readonly logger: Logger;
  readonly store: Store;
  readonly paths: UpdatePaths;
  readonly settings: UpdateSettings;
  readonly openArtifact: OpenArtifact;
  /** Reads the device type from the `device_type` file. */
  readonly deviceType: () => Promise<string>;
  /** Required for deployments only. */
  readonly server?: DeploymentServer;
  /** Loads what downloads adaptively; absent if the device does not. */
  readonly openAdaptively?: () => Promise<typeof openAdaptively>;
  /** Pauses between attempts to send a report that must arrive. */
  readonly retryDelays: RetryDelays;
  readonly onProgress?: (event: ProgressEvent) => void;
}

/** One update on its way through the table. */
export interface Run {
  readonly options: EngineOptions;
  /** The record that the next write of the journal saves. */
  readonly record: JournalRecord;
  readonly logger: Logger;
  readonly log: DeploymentLog | undefined;
  /** Aborted when the program is to end: the journal stays as it is. */
  readonly signal: AbortSignal;
  /** What to download. After a restart it is requested again. */
  readonly instructions: DeploymentInstructions | undefined;
  /** The artifact of an update by hand, opened and checked before the walk. */
  readonly opened: OpenedArtifact | undefined;
  /** States before which an update by hand is to stop. */
  readonly stops?: ReadonlySet<StateName>;
  /** Why the artifact is downloaded plainly, although an adaptive download was offered. */
  plain?: PlainReason;
  /** The last error of writing the journal. */
  journalFault?: string;
  /** Monotonic time since which a reboot waits because it cannot be written down. Not journalled. */
  rebootHeldSinceMs?: number;
}

/** The update module of the run's artifact. */
export async function moduleOf(run: Run): Promise<UpdateModule> {
  const payloadType = run.record.artifact?.payloadType;
  if (payloadType === undefined || payloadType === null) {
    throw new AgentError("module-missing", "the artifact has no payload, and so no update module");
  }
  return await moduleFor(run, payloadType);
}

/** The update module for a payload type. */
export async function moduleFor(
  { options, logger, signal }: Pick<Run, "options" | "logger" | "signal">,
  payloadType: string,
): Promise<UpdateModule> {
  const { system, paths, settings } = options;
  return new UpdateModule({
    system,
    logger,
    executable: await findModule(system.files, paths.modules, payloadType),
    payloadType,
    tree: workTreePath(paths.datastore),
    timeoutMs: settings.moduleTimeoutMs,
    killGraceMs: settings.killGraceMs,
    noexec: settings.noexecPrograms,
    signal,
  });
}

/** The directory of an artifact's state scripts while it is being installed. */
export function artifactScriptsPath(datastore: string): string {
  return `${datastore}/scripts`;
}

export function scriptsOf(run: Run): StateScripts {
  const { system, paths, settings } = run.options;
  return new StateScripts({
    system,
    logger: run.logger,
    rootfsDirectory: paths.rootfsScripts,
    artifactDirectory: artifactScriptsPath(paths.datastore),
    timeoutMs: settings.scriptTimeoutMs,
    retryTimeoutMs: settings.scriptRetryTimeoutMs,
    retryIntervalMs: settings.scriptRetryIntervalMs,
    killGraceMs: settings.killGraceMs,
    noexec: settings.noexecPrograms,
    signal: run.signal,
  });
}

/** @throws AgentError `no-server`; only updates by hand run without a server. */
export function serverOf(run: Run): DeploymentServer {
  const { server } = run.options;
  if (server === undefined) throw new AgentError("no-server", "no server is configured");
  return server;
}

/** Log a failure of a state, and note it in the journal's record if it is the first one of the update. */
export function noteFailure({ record, logger }: Run, name: StateName, { code, message, cause }: AgentError): void {
  record.failure ??= { code, message };
  const stack = code === "internal" && cause instanceof Error ? `\n${cause.stack}` : "";
  logger.error(`${name}: ${message}${stack}`);
}

/** Any error as an AgentError. `code` is `internal` for one that has no code. */
export function asAgentError(error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "internal";
  return new AgentError(code, message, { cause: error });
}
