import { openArtifact } from "@upkeep/shared/artifact";
import { given } from "@upkeep/shared/given";
import { isSystemError, removeDurably } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { OpenArtifact } from "../update/index.ts";
import { openArtifactFile } from "./artifact-file.ts";
import { createEngine } from "./compose-engine.ts";
import { type AgentContext, type Door, type HeldDevice, withDevice } from "./context.ts";
import { bootstrapArtifactFile } from "./from-config.ts";

/** Codes of failures that are the disk's and not the artifact's. */
const DISK_FAULTS: ReadonlySet<string> = new Set(["journal-failed", "ENOSPC", "EDQUOT", "EROFS", "EIO", "EACCES"]);

/** Opens an artifact that has no payload. It installs nothing, so it needs no signature. */
function openEmptyArtifact({ decompressors }: Pick<Door, "decompressors">): OpenArtifact {
  return async (source) => {
    const reading = await openArtifact(source, given({ decompressors }));
    const payload = reading.header.payloads.find(({ typeInfo }) => typeInfo.type !== null);
    if (payload === undefined) return reading;
    await reading.close();
    throw new AgentError(
      "bootstrap-not-empty",
      `it has a payload of the type ${JSON.stringify(payload.typeInfo.type)}, and a bootstrap artifact must have none`,
    );
  };
}

/**
 * Takes the provides of the bootstrap artifact in the data directory as the device's own, if the device has none yet.
 * The file is removed afterwards, unless a fault of the disk prevented the change.
 * @throws AgentError `bootstrap-refused` or `bootstrap-waits`.
 */
export async function installBootstrapArtifact(device: HeldDevice): Promise<void> {
  const path = bootstrapArtifactFile(device);
  const { system, store, log } = device;
  if ((await system.files.status(path)) === undefined || store.unreadable !== undefined) return;
  let keep = false;
  try {
    if (store.provides !== undefined || store.update !== undefined) {
      log.warning(`${path} is removed without effect: what is installed on this device is known already`);
      return;
    }
    const engine = await createEngine(device, { openArtifact: openEmptyArtifact(device) });
    const result = await engine.install(await openArtifactFile(system, path));
    if (result.kind === "committed") {
      log.info(`the bootstrap artifact says that ${result.artifactName} is installed`);
    } else {
      const failure = "failure" in result && typeof result.failure === "object" ? result.failure : undefined;
      const why = failure?.message ?? `it ended as ${result.kind}`;
      // A disk that cannot be written says nothing about the artifact.
      keep = failure !== undefined && DISK_FAULTS.has(failure.code);
      if (keep) {
        throw new AgentError("bootstrap-waits", `the bootstrap artifact ${path} cannot be taken over yet: ${why}`);
      }
      throw new AgentError("bootstrap-refused", `the bootstrap artifact ${path} was refused and removed: ${why}`);
    }
  } finally {
    if (!keep) await removeIfPossible(device, path);
  }
}

async function removeIfPossible({ system, log }: HeldDevice, path: string): Promise<void> {
  try {
    await removeDurably(system.files, path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    log.warning(`${path} cannot be removed: ${error.message}`);
  }
}

/**
 * {@link installBootstrapArtifact}, before a command shows what is installed. If another program holds the device, the
 * artifact is left to that program.
 */
export async function bootstrapBeforeShowing(context: AgentContext, command: string): Promise<void> {
  try {
    await withDevice(context, command, installBootstrapArtifact);
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "datastore-held") throw error;
  }
}
