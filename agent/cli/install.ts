import { resolve } from "node:path";
import { writeOutput } from "../system/terminal.ts";
import type { ArtifactSource } from "../update/index.ts";
import type { Agent } from "./agent.ts";
import { openArtifactFile } from "./artifact-file.ts";
import { installBootstrapArtifact } from "./bootstrap-artifact.ts";
import { createEngine } from "./engine.ts";
import type { ExitCode } from "./globals.ts";
import { createDownloads } from "./parts.ts";
import { progressBar } from "./progress.ts";
import { type StandaloneOptions, standalone } from "./standalone.ts";

export interface InstallOptions extends StandaloneOptions {
  /** A file, or an http or https URL. */
  readonly artifact: string;
}

async function open(agent: Agent, artifact: string, signal: AbortSignal): Promise<ArtifactSource> {
  if (!/^https?:\/\//i.test(artifact)) return await openArtifactFile(agent.system, resolve(artifact));
  return await (await createDownloads(agent)).start({ url: artifact }, signal);
}

/** `upkeep install FILE|URL`: install an artifact by hand. */
export function install(options: InstallOptions): Promise<ExitCode> {
  return standalone("install", options, async (agent, { signal, stops }) => {
    await installBootstrapArtifact(agent);
    const onProgress = progressBar();
    const engine = await createEngine(agent, onProgress === undefined ? {} : { onProgress });
    const source = await open(agent, options.artifact, signal);
    writeOutput("Installing artifact...\n");
    return await engine.install(source, signal, stops);
  });
}
