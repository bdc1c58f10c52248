import { printable } from "@upkeep/shared/text";
import { writeOutput } from "../system/terminal.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";
import { showInstalled } from "./installed.ts";

/** `upkeep show-artifact`: the name of what is installed. */
export async function showArtifact(globals: Globals): Promise<ExitCode> {
  const provides = await showInstalled(globals, "show-artifact");
  writeOutput(`${printable(provides.artifact_name)}\n`);
  return EXIT.ok;
}
