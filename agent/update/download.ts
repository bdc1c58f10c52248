import { manifestName } from "@upkeep/shared/artifact";
import type { DeploymentInstructions } from "@upkeep/shared/protocol";
import { toldProvides } from "../device/provides.ts";
import { AgentError } from "../errors.ts";
import { createWorkTree, STORED_IN, type StoredSoFar, workTreePath } from "../modules/index.ts";
import { storeScripts } from "../scripts/index.ts";
import { type OpenedArtifact, openFitting, recordOf } from "./artifact.ts";
import type { ArtifactSource } from "./ports.ts";
import { artifactScriptsPath, asAgentError, moduleOf, type Run, serverOf } from "./run.ts";

/**
 * Bring the artifact and hand its payload over to the update module. What an earlier life of the program stored of it
 * is not brought again, as long as it proves to be the same.
 */
export async function download(run: Run): Promise<"done" | "empty"> {
  const resumed = run.record.download !== undefined;
  try {
    return await bring(run);
  } catch (error) {
    run.signal.throwIfAborted();
    // A file is known by its checksum, and that only once it is whole.
    if (!resumed || asAgentError(error).code !== "checksum-mismatch") throw error;
    run.logger.warning(`${asAgentError(error).message}; the download starts over, without what was kept of it`);
    delete run.record.download;
    return await bring(run);
  }
}

async function bring(run: Run): Promise<"done" | "empty"> {
  const { options, record } = run;
  const { store, paths, settings } = options;
  const artifact = run.opened ?? (await openFitting(run, await start(run)));
  try {
    const before = keptOf(run, artifact);
    if (before === undefined) await abandon(run);
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
      // What was to be installed by hand is no longer at hand after a restart.
      onStored: record.mode === "deployment" ? (stored) => remember(run, artifact, stored) : undefined,
    });
    delete record.download;
    return "done";
  } finally {
    await artifact.close();
  }
}

/** What was kept of the artifact, if it is still the same one. */
function keptOf({ record, logger }: Run, { header, payload }: OpenedArtifact): StoredSoFar | undefined {
  const { download: kept } = record;
  if (kept === undefined) return undefined;
  const [directory, name = ""] = kept.path.split("/");
  const listed = header.manifest.get(manifestName(payload.index, name));
  // Of what no signature covers the manifest knows nothing: its checksum is looked at when it comes.
  if (listed === kept.sha256 || (listed === undefined && directory === "files-augment")) {
    logger.info(`going on with ${name}, of which ${kept.bytes} bytes were kept`);
    return kept;
  }
  logger.warning(`the artifact is another one than before: the ${kept.bytes} bytes that were kept of it are dropped`);
  return undefined;
}

/** Write down how much of the payload is stored. Where that cannot be written, a restart costs more, and that is all. */
async function remember(
  { options, record, logger }: Run,
  artifact: OpenedArtifact,
  stored: StoredSoFar,
): Promise<void> {
  const reachedBytes = artifact.receivedBytes;
  record.download = { ...stored, reachedBytes };
  // Who comes further with each restart is not in a loop, and cannot come further for ever.
  if (reachedBytes > (record.furthestBytes ?? 0)) {
    record.furthestBytes = reachedBytes;
    record.visits = 1;
  }
  try {
    await options.store.save({ update: record });
  } catch (error) {
    logger.warning(`cannot write down how far the download is: ${asAgentError(error).message}`);
  }
}

/** The update module that had begun on this payload in an earlier life is to clean up before it begins anew. */
async function abandon(run: Run): Promise<void> {
  const { options, record, logger, signal } = run;
  delete record.download;
  if (!record.artifact?.payloadType) return;
  if ((await options.system.files.status(workTreePath(options.paths.datastore))) === undefined) return;
  try {
    await (await moduleOf(run)).call("Cleanup");
  } catch (error) {
    signal.throwIfAborted();
    logger.warning(`before the download starts over: ${asAgentError(error).message}`);
  }
}

async function start(run: Run): Promise<ArtifactSource> {
  const instructions = run.instructions ?? (await askAgain(run));
  return await serverOf(run).download(instructions, run.signal, run.record.download?.reachedBytes);
}

/** After a restart the link is not known any more, and it might have expired. */
async function askAgain(run: Run): Promise<DeploymentInstructions> {
  const { options, record, logger, signal } = run;
  const deployment = record.deployment ?? "";
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
