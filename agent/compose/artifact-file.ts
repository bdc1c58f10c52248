import { isSystemError, readChunks, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import type { ArtifactSource } from "../update/index.ts";

/** @throws AgentError `artifact-unreadable`. */
export async function openArtifactFile({ files }: Pick<System, "files">, path: string): Promise<ArtifactSource> {
  try {
    const handle = await files.open(path, "read");
    const { kind, sizeBytes } = await handle.status();
    let closed = false;
    const close = async (): Promise<void> => {
      if (closed) return;
      closed = true;
      await handle.close();
    };
    if (kind === "directory") {
      await close();
      throw new AgentError("artifact-unreadable", `${path} is a directory, not an artifact`);
    }
    return { sizeBytes: kind === "file" ? sizeBytes : undefined, content: readChunks(handle), close };
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new AgentError("artifact-unreadable", `cannot read the artifact ${path}: ${error.message}`, { cause: error });
  }
}
