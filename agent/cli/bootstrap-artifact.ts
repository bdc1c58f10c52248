import { openArtifact } from "@upkeep/shared/artifact";
import { isSystemError, removeDurably } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { OpenArtifact } from "../update/index.ts";
import { type Agent, type Base, withAgent } from "./agent.ts";
import { openArtifactFile } from "./artifact-file.ts";
import { createEngine } from "./engine.ts";

/** Where the bootstrap artifact is, until it has been looked at. */
function pathOf({ paths }: Pick<Base, "paths">): string {
  return `${paths.datastore}/bootstrap.mender`;
}

/** Codes of what fails for the disk's sake. */
const DISK_FAULTS: ReadonlySet<string> = new Set(["journal-failed", "ENOSPC", "EDQUOT", "EROFS", "EIO", "EACCES"]);

/** Only says what the device comes with: it brings nothing to install, so that nobody needs to have signed it. */
const openEmpty: OpenArtifact = async (source) => {
  const reading = await openArtifact(source, {});
  const payload = reading.header.payloads.find(({ typeInfo }) => typeInfo.type !== null);
  if (payload === undefined) return reading;
  await reading.close();
  throw new AgentError(
    "bootstrap-not-empty",
    `it has a payload of the type ${JSON.stringify(payload.typeInfo.type)}, and a bootstrap artifact must have none`,
  );
};

/**
 * Take over what the bootstrap artifact in the data directory says is installed, if nobody knows that yet. The
 * file is removed in any case.
 * @throws AgentError `bootstrap-refused`.
 */
export async function installBootstrapArtifact(agent: Agent): Promise<void> {
  const path = pathOf(agent);
  const { system, store, log } = agent;
  if ((await system.files.status(path)) === undefined || store.unreadable !== undefined) return;
  let keep = false;
  try {
    if (store.provides !== undefined || store.update !== undefined) {
      log.warning(`${path} is removed without effect: what is installed on this device is known already`);
      return;
    }
    const engine = await createEngine(agent, { openArtifact: openEmpty });
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
    if (!keep) await removeIfPossible(agent, path);
  }
}

async function removeIfPossible({ system, log }: Agent, path: string): Promise<void> {
  try {
    await removeDurably(system.files, path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    log.warning(`${path} cannot be removed: ${error.message}`);
  }
}

/** The same, before something is shown. Nothing is done while somebody else works with the device: they do it. */
export async function bootstrapBeforeShowing(base: Base, command: string): Promise<void> {
  try {
    await withAgent(base, command, installBootstrapArtifact);
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "datastore-held") throw error;
  }
}
