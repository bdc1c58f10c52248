import { writeOutput } from "../system/terminal.ts";
import { loadBase, showInstalled } from "./agent.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";

/** `upkeep show-provides`: all that the installed software provides, `key=value`, in the order of the keys. */
export async function showProvides(globals: Globals): Promise<ExitCode> {
  const provides = await showInstalled(await loadBase(globals, { quiet: true }));
  const entries = Object.entries(provides).sort(([a], [b]) => (a < b ? -1 : 1));
  writeOutput(entries.map(([key, value]) => `${key}=${value}\n`).join(""));
  return EXIT.ok;
}
