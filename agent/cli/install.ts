import { resolve } from "node:path";
import { isSystemError, readChunks, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { writeOutput } from "../system/terminal.ts";
import type { ArtifactSource } from "../update/index.ts";
import type { Agent } from "./agent.ts";
import type { ExitCode } from "./globals.ts";
import { createDownloads, createEngine } from "./parts.ts";
import { progressBar } from "./progress.ts";
import { type StandaloneOptions, standalone } from "./standalone.ts";

export interface InstallOptions extends StandaloneOptions {
  /** A file, or an http or https URL. */
  readonly artifact: string;
}

async function openFile({ files }: Pick<System, "files">, path: string): Promise<ArtifactSource> {
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

async function open(agent: Agent, artifact: string, signal: AbortSignal): Promise<ArtifactSource> {
  if (!/^https?:\/\//i.test(artifact)) return await openFile(agent.system, resolve(artifact));
  return await (await createDownloads(agent)).start({ url: artifact }, signal);
}

/** `upkeep install FILE|URL`: install an artifact by hand. */
export function install(options: InstallOptions): Promise<ExitCode> {
  return standalone("install", options, async (agent, { signal, stops }) => {
    const onProgress = progressBar();
    const engine = await createEngine(agent, onProgress === undefined ? {} : { onProgress });
    const source = await open(agent, options.artifact, signal);
    writeOutput("Installing artifact...\n");
    return await engine.install(source, signal, stops);
  });
}
