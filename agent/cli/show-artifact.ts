import { writeOutput } from "../system/terminal.ts";
import { loadBase, showInstalled } from "./agent.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";

/** `upkeep show-artifact`: the name of what is installed. */
export async function showArtifact(globals: Globals): Promise<ExitCode> {
  const provides = await showInstalled(await loadBase(globals, { quiet: true }));
  writeOutput(`${provides.artifact_name}\n`);
  return EXIT.ok;
}
