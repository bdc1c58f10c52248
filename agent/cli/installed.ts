import { installedProvides } from "../device/provides.ts";
import { loadBase, lookAtStore } from "./agent.ts";
import type { Globals } from "./globals.ts";

/** What is installed now; a bootstrap artifact that nobody has looked at yet is taken over first. */
export async function showInstalled(globals: Globals, command: string) {
  const base = await loadBase(globals, { quiet: true });
  if ((await base.system.files.status(`${base.paths.datastore}/bootstrap.mender`)) !== undefined) {
    await (await import("./bootstrap-artifact.ts")).bootstrapBeforeShowing(base, command);
  }
  return installedProvides(await lookAtStore(base));
}
