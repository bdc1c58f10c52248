import { printable } from "@upkeep/shared/text";
import { writeOutput } from "../system/terminal.ts";
import { EXIT, type ExitCode, type Globals } from "./globals.ts";
import { showInstalled } from "./installed.ts";

/**
 * `upkeep show-provides`: all that the installed software provides, `key=value`, in the order of the keys. Each is one
 * line, whatever it says.
 */
export async function showProvides(globals: Globals): Promise<ExitCode> {
  const provides = await showInstalled(globals, "show-provides");
  const entries = Object.entries(provides).sort(([a], [b]) => (a < b ? -1 : 1));
  writeOutput(entries.map(([key, value]) => `${printable(`${key}=${value}`)}\n`).join(""));
  return EXIT.ok;
}
