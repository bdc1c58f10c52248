import { lookAtStore } from "../compose/context.ts";
import { bootstrapArtifactFile } from "../compose/from-config.ts";
import { installedProvides } from "../device/provides.ts";
import { loadContext } from "./context.ts";
import type { Globals } from "./globals.ts";

/** The provides of the device. A bootstrap artifact is taken over first. */
export async function showInstalled(globals: Globals, command: string) {
  const context = await loadContext(globals, { quiet: true });
  if ((await context.system.files.status(bootstrapArtifactFile(context))) !== undefined) {
    await (await import("../compose/bootstrap-artifact.ts")).bootstrapBeforeShowing(context, command);
  }
  return installedProvides(await lookAtStore(context));
}
