import { resolve } from "node:path";
import { openArtifactFile } from "../compose/artifact-file.ts";
import { installBootstrapArtifact } from "../compose/bootstrap-artifact.ts";
import { createEngine } from "../compose/compose-engine.ts";
import type { HeldDevice } from "../compose/context.ts";
import { writeOutput } from "../system/terminal.ts";
import type { ArtifactSource } from "../update/index.ts";
import type { ExitCode } from "./globals.ts";
import { progressBar } from "./progress.ts";
import { type StandaloneOptions, standalone } from "./standalone.ts";

export interface InstallOptions extends StandaloneOptions {
  /** A file, or an http or https URL. */
  readonly artifact: string;
}

async function open(device: HeldDevice, artifact: string, signal: AbortSignal): Promise<ArtifactSource> {
  if (!/^https?:\/\//i.test(artifact)) return await openArtifactFile(device.system, resolve(artifact));
  // Only a download needs the HTTP client, which takes time to load.
  const { createDownloads } = await import("../compose/client.ts");
  return await (await createDownloads(device)).start({ url: artifact }, signal);
}

/** `upkeep install FILE|URL`: install an artifact by hand. */
export function install(options: InstallOptions): Promise<ExitCode> {
  return standalone("install", options, async (device, { signal, stops }) => {
    await installBootstrapArtifact(device);
    const onProgress = progressBar(options);
    const engine = await createEngine(device, onProgress === undefined ? {} : { onProgress });
    const source = await open(device, options.artifact, signal);
    writeOutput("Installing artifact...\n");
    return await engine.install(source, signal, stops);
  });
}
