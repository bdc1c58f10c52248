import { manifestName } from "@upkeep/shared/artifact";
import type { DeploymentInstructions } from "@upkeep/shared/protocol";
import { toldProvides } from "../device/provides.ts";
import { AgentError } from "../errors.ts";
import { createWorkTree, STORED_IN, type StoredSoFar, workTreePath } from "../modules/index.ts";
import { storeScripts } from "../scripts/index.ts";
import { type OpenedArtifact, openFitting, recordOf } from "./artifact.ts";
import { deploymentOf, type StoredPart } from "./journal.ts";
import { artifactScriptsPath, asAgentError, moduleOf, type Run, serverOf } from "./run.ts";
import {
  adaptiveFault,
  endTransport,
  plainReasonOf,
  prepareTransport,
  startTransport,
  type Transport,
} from "./transport.ts";

/**
 * Download the artifact and hand its payload to the update module. A part that was stored before a restart is not
 * downloaded again, provided that it belongs to the same artifact.
 */
export async function download(run: Run): Promise<"done" | "empty"> {
  // Each round gives up one thing for good.
  for (;;) {
    const isResumed = storedPart(run) !== undefined;
    try {
      return await downloadOnce(run);
    } catch (error) {
      run.signal.throwIfAborted();
      if (!startsOver(run, error, isResumed)) throw error;
    }
  }
}

/** The errors that only the checksum of a whole file shows: a part that was kept may belong to another one. */
const WRONG_AS_A_WHOLE: ReadonlySet<string> = new Set(["checksum-mismatch", "adaptive-payload-wrong"]);

/** Whether a download starts over after `error`, and without what. */
function startsOver(run: Run, error: unknown, isResumed: boolean): boolean {
  const { message, code } = asAgentError(error);
  if (isResumed && WRONG_AS_A_WHOLE.has(code)) {
    run.logger.warning(`${message}; the download starts over, without what was kept of it`);
    forgetStoredPart(run);
    return true;
  }
  const reason = plainReasonOf(code);
  if (reason === undefined) return false;
  run.logger[reason === "does-not-pay" ? "info" : "warning"](`${message}; the whole artifact is downloaded`);
  run.plain = reason;
  return true;
}

async function downloadOnce(run: Run): Promise<"done" | "empty"> {
  if (run.opened !== undefined) return await takeAndStore(run, run.opened);
  const transport = await start(run);
  let artifact: OpenedArtifact | undefined;
  try {
    artifact = await openFitting(run, transport.source);
    return await takeAndStore(run, artifact, transport);
  } catch (error) {
    throw transport.adaptive === undefined ? error : adaptiveFault(error);
  } finally {
    endTransport(run, transport, artifact?.receivedBytes ?? 0);
  }
}

function storedPart({ record: { position } }: Run): StoredPart | undefined {
  return position.kind === "downloading" ? position.stored : undefined;
}

function forgetStoredPart({ record }: Run): void {
  if (record.position.kind !== "downloading") return;
  const { stored, ...position } = record.position;
  record.position = position;
}

async function takeAndStore(run: Run, artifact: OpenedArtifact, transport?: Transport): Promise<"done" | "empty"> {
  const { options, record } = run;
  const { store, paths, settings } = options;
  try {
    const before = keptOf(run, artifact);
    if (transport !== undefined) await prepareTransport(run, transport, artifact, before);
    if (before === undefined) await discardEarlierDownload(run);
    record.artifact = recordOf(artifact);
    await store.save({ update: record });
    const { files } = options.system;
    await storeScripts(files, artifactScriptsPath(paths.datastore), artifact.header.scripts);
    if (record.artifact.payloadType === null) {
      for await (const file of artifact.files) {
        throw new AgentError("payload-not-empty", `an empty payload carries the file ${JSON.stringify(file.name)}`);
      }
      return "empty";
    }
    const current = {
      artifactName: store.provides?.artifact_name,
      artifactGroup: store.provides?.artifact_group,
      deviceType: await options.deviceType(),
    };
    const kept = before === undefined ? undefined : STORED_IN;
    await createWorkTree(files, workTreePath(paths.datastore), artifact.header, artifact.payload, current, kept);
    await (await moduleOf(run)).download(artifact.files, {
      augmented: artifact.header.augment !== undefined,
      before,
      pace: settings.storingPace,
      // The artifact of an update by hand is not available after a restart.
      onStored: record.origin.mode === "deployment" ? (stored) => remember(run, artifact, stored) : undefined,
    });
    forgetStoredPart(run);
    return "done";
  } finally {
    await artifact.close();
  }
}

/** What was kept of the artifact, if it is still the same one. */
function keptOf(run: Run, { header, payload }: OpenedArtifact): StoredSoFar | undefined {
  const { logger } = run;
  const kept = storedPart(run);
  if (kept === undefined) return undefined;
  const [directory, name = ""] = kept.path.split("/");
  const listed = header.manifest.get(manifestName(payload.index, name));
  // The manifest lists no unsigned files: their checksum is verified when they arrive.
  if (listed === kept.sha256 || (listed === undefined && directory === "files-augment")) {
    logger.info(`going on with ${name}, of which ${kept.bytes} bytes were kept`);
    return kept;
  }
  logger.warning(`the artifact is another one than before: the ${kept.bytes} bytes that were kept of it are dropped`);
  return undefined;
}

/** Write down how much of the payload is stored. If that fails, a restart downloads more again, and nothing else. */
async function remember(
  { options, record, logger }: Run,
  artifact: OpenedArtifact,
  stored: StoredSoFar,
): Promise<void> {
  const reachedBytes = artifact.receivedBytes;
  const { position } = record;
  const { furthestBytes = 0 } = position.kind === "downloading" ? position : {};
  // A download that gets further with each restart is no loop, and it is finite.
  if (reachedBytes > furthestBytes) record.visits = 1;
  record.position = {
    kind: "downloading",
    state: "Download",
    stored: { ...stored, reachedBytes },
    furthestBytes: Math.max(reachedBytes, furthestBytes),
  };
  try {
    await options.store.save({ update: record });
  } catch (error) {
    logger.warning(`cannot write down how far the download is: ${asAgentError(error).message}`);
  }
}

/** Let the update module clean up what it began with this payload before a restart. */
async function discardEarlierDownload(run: Run): Promise<void> {
  const { options, record, logger, signal } = run;
  forgetStoredPart(run);
  if (!record.artifact?.payloadType) return;
  if ((await options.system.files.status(workTreePath(options.paths.datastore))) === undefined) return;
  try {
    await (await moduleOf(run)).call("Cleanup");
  } catch (error) {
    signal.throwIfAborted();
    logger.warning(`before the download starts over: ${asAgentError(error).message}`);
  }
}

async function start(run: Run): Promise<Transport> {
  const instructions = run.instructions ?? (await instructionsAgain(run));
  return await startTransport(run, instructions, storedPart(run)?.reachedBytes);
}

/** After a restart the link is not known, and it might have expired. */
async function instructionsAgain(run: Run): Promise<DeploymentInstructions> {
  const { options, record, logger, signal } = run;
  const deployment = deploymentOf(record) ?? "";
  for (let made = 1; ; made++) {
    try {
      const provides = toldProvides(options.store, await options.deviceType());
      const instructions = await serverOf(run).instructionsOf(deployment, provides, signal);
      if (instructions !== undefined) return instructions;
      throw new AgentError("deployment-withdrawn", "the server does not offer this deployment any more");
    } catch (error) {
      signal.throwIfAborted();
      const { message, retryable, retryAfterMs } = asAgentError(error);
      const delayMs = retryable ? options.retryDelays(made, retryAfterMs) : undefined;
      if (delayMs === undefined) throw error;
      logger.warning(`could not ask for the deployment again, trying once more in ${delayMs / 1000} s: ${message}`);
      await options.system.timers.sleep(delayMs, signal);
    }
  }
}
