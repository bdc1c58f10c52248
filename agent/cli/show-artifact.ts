import { installedProvides } from "../device/provides.ts";
import { writeOutput } from "../system/terminal.ts";
import { openAgent } from "./agent.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";

/** `upkeep show-artifact`: the name of what is installed. */
export async function showArtifact(globals: Globals): Promise<ExitCode> {
  const { store } = await openAgent(globals, { quiet: true });
  writeOutput(`${installedProvides(store).artifact_name}\n`);
  return EXIT.ok;
}
